"""Bases in other repositories of the same server: brought by `git lepton fetch`, remembered, then used offline by `git add`.

A model names one in lepton.toml as OWNER/REPO@REV:PATH. What it named when it was last fetched is in `bases.json` beside the packs;
`prune` spares these objects for as long as a model names them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from git_lepton.errors import LeptonError, WeightsMissing
from git_lepton.evidence.models import ForeignPath
from git_lepton.format.identifiers import ObjectId
from git_lepton.format.pointer import Pointer
from git_lepton.settings.models import read_models
from git_lepton.workflow.sync.known_bases import _FILE, known_bases

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from git_lepton.transfer.git_snapshot import Snapshot
    from git_lepton.transfer.progress import Progress
    from git_lepton.workspace import Workspace


class NoSuchBase(WeightsMissing):
    """The other repository has no weights where lepton.toml says that a base is."""


@dataclass(frozen=True)
class FetchedBases:
    """`bases` were looked up, `objects` of them and `bytes_received` had not been here."""

    bases: int = 0
    objects: int = 0
    bytes_received: int = 0


def fetch_bases(workspace: Workspace, progress: Progress | None = None, remote: str | None = None) -> FetchedBases:
    """Bring the bases that models have in other repositories, as they are there now. Asks nobody where no model has one.

    Raises BadLeptonToml, NoSuchBase, UnknownVersion, NotAServer, and what transfers raise.
    """
    named = list(dict.fromkeys(model.foreign_base for model in read_models(workspace.git) if model.foreign_base))
    known = known_bases(workspace.store.root) if named else {}
    objects = received = 0
    for base in named:
        fetched, pointers = _fetch(workspace, base, progress, remote)
        objects, received = objects + fetched[0], received + fetched[1]
        known[base] = [pointer.oid for pointer in pointers]
    if named:
        _remember(workspace.store.root, {base: known[base] for base in named})
    return FetchedBases(len(named), objects, received)


def objects_in_use(workspace: Workspace) -> set[ObjectId]:
    """The objects of fetched bases that a model still names; of all of them where lepton.toml cannot be read."""
    known = known_bases(workspace.store.root)
    if not known:
        return set()
    try:
        named = {model.foreign_base for model in read_models(workspace.git)}
    except LeptonError:
        named = set(known)
    return {oid for base, oids in known.items() if base in named for oid in oids}


def _fetch(
    workspace: Workspace, base: ForeignPath, progress: Progress | None, remote: str | None
) -> tuple[tuple[int, int], list[Pointer]]:
    from git_lepton.transfer.download import download
    from git_lepton.transfer.git_snapshot import read_snapshot
    from git_lepton.transfer.progress import SILENT
    from git_lepton.workflow.sync.fetch import lacking

    other = workspace.other_repository(base.repository, remote)
    pointers = _pointers_below(read_snapshot(other, base.revision), base.path)
    if not pointers:
        raise NoSuchBase(f"{base} is no weight file, and no folder with weights", "Correct `base` in lepton.toml.")
    needed = lacking(workspace.store, pointers)
    if not needed:
        return (0, 0), pointers
    got = download(workspace.store, other, needed, progress or SILENT)
    return (got.objects, got.bytes_received), pointers


def _pointers_below(snapshot: Snapshot, path: str) -> list[Pointer]:
    wanted = path.encode("utf-8", "surrogateescape")
    below = [file for file in snapshot.files if not wanted or file.path == wanted or file.path.startswith(wanted + b"/")]
    return list(dict.fromkeys(snapshot.pointers(below).values()))


def _remember(store: Path, bases: Mapping[ForeignPath, Sequence[ObjectId]]) -> None:
    from git_lepton.store.chunk_store import disk_errors
    from git_lepton.store.durable import make_folder, write_durably

    rows = {str(base): [str(oid) for oid in oids] for base, oids in bases.items()}
    with disk_errors(store):
        make_folder(store)
        write_durably(store / _FILE, json.dumps(rows, indent=2).encode() + b"\n")
