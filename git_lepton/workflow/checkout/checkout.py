"""Checkout: files written over the pointers that stand for them, from weights that are on this machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from git_lepton.errors import LeptonError, WrongUse
from git_lepton.format.globs import path_chooser
from git_lepton.format.pointer import Pointer
from git_lepton.git.repository import GitRepository
from git_lepton.store.chunk_store import ManifestMissing
from git_lepton.workflow.checkout.materialise import Materialised, materialise
from git_lepton.workflow.sync.fetch import lacking, readable
from git_lepton.workspace import Workspace

if TYPE_CHECKING:
    from git_lepton.transfer.progress import Progress


class NothingTracked(WrongUse):
    """A path that was named holds no tracked file."""


def pointers_in_index(
    git: GitRepository,
    paths: Sequence[str] = (),
    *,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    unreadable: dict[str, LeptonError] | None = None,
) -> dict[str, Pointer]:
    """The pointers at tracked paths that this work tree should hold: what a sparse checkout leaves out is not among them.

    `unreadable` takes the paths of damaged pointers and of those of later versions, and why; without it such a one is raised.
    """
    skipped = {entry.path for entry in git.index_entries(*paths) if entry.skipped}
    wanted = path_chooser(include, exclude)
    blobs = (blob for blob in git.small_blobs_in_index(*paths) if blob.path not in skipped and wanted(blob.path))
    return dict(readable(blobs, unreadable))


def checkout(workspace: Workspace, paths: Sequence[str], show: Callable[[str], Progress], *, force: bool = False) -> Materialised:
    """Write the files of these paths (all where none is given) whose weights are here; `failed` names the others.

    Only a pointer's own text is written over, unless `force`: then git first puts the pointers back, whatever stands there.
    """
    unreadable: dict[str, LeptonError] = {}
    files = pointers_in_index(workspace.git, paths, unreadable=unreadable)
    if paths and not files and not unreadable:
        raise NothingTracked(f"no tracked file is at {', '.join(paths)}", "git lepton ls-files lists them.")
    absent = {pointer.oid for pointer in lacking(workspace.store, files.values())}
    here = {path: pointer for path, pointer in files.items() if pointer.oid not in absent}
    if force:
        _put_pointers_back(workspace.git, here)
    done = materialise(workspace, here, show)
    failed = {path: ManifestMissing(pointer.oid) for path, pointer in files.items() if pointer.oid in absent}
    return done._replace(failed={**done.failed, **failed, **unreadable})


def _put_pointers_back(git: GitRepository, files: dict[str, Pointer]) -> None:
    stdin = b"".join(os.fsencode(path) + b"\0" for path in files)
    if stdin:
        arguments = ("checkout-index", "--force", "-z", "--stdin")
        git.run_at_top(*arguments, stdin=stdin, environment={"GIT_LEPTON_SKIP_SMUDGE": "1"})
