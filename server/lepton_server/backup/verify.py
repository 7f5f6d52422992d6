"""Verification of a backup, without a server: everything that a snapshot names is read and compared with its name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from git_lepton.errors import CorruptData
from lepton_server.backup.archive import Archive
from lepton_server.backup.git_snapshots import bundles_of
from lepton_server.backup.parts import rows_of
from lepton_server.backup.snapshot import Snapshot


def problems(archive: Archive, snapshots: list[Snapshot]) -> Iterator[str]:
    """A sentence for each thing that is damaged or absent. What several snapshots share is read once."""
    packs: set[tuple[str, str]] = set()
    parts: set[str] = set()
    for snapshot in snapshots:
        yield from _of_tables(archive, snapshot, packs)
        yield from _of_git(archive, snapshot, parts)


def _of_tables(archive: Archive, snapshot: Snapshot, seen: set[tuple[str, str]]) -> Iterator[str]:
    for listing in snapshot.tables.values():
        try:
            for _ in rows_of(archive, listing):
                pass
        except CorruptData as error:
            yield f"{snapshot.id}: {error.message}"
    try:
        listed = [(row["name"], row["sha256"]) for row in rows_of(archive, snapshot.packs)]
        for name, sha256 in listed:
            if (name, sha256) not in seen:
                seen.add((name, sha256))
                yield from _of_pack(archive, snapshot, name, sha256)
    except CorruptData as error:
        yield f"{snapshot.id}: {error.message}"


def _of_pack(archive: Archive, snapshot: Snapshot, name: str, sha256: str) -> Iterator[str]:
    try:
        data = archive.pack(bytes.fromhex(name))
    except CorruptData as error:
        yield f"{snapshot.id}: {error.message}"
        return
    if data is None:
        yield f"{snapshot.id}: pack {name} is not there"
    elif hashlib.sha256(data).hexdigest() != sha256:
        yield f"{snapshot.id}: pack {name} is damaged: its SHA-256 does not match"


def _of_git(archive: Archive, snapshot: Snapshot, seen: set[str]) -> Iterator[str]:
    try:
        rows = list(rows_of(archive, snapshot.git))
    except CorruptData as error:
        yield f"{snapshot.id}: {error.message}"
        return
    for row in rows:
        for part in [part for bundle in bundles_of(row) for part in bundle]:
            if part.sha256 in seen:
                continue
            seen.add(part.sha256)
            try:
                archive.read(part)
            except CorruptData as error:
                yield f"{snapshot.id}: history of {row['name']}: {error.message}"
