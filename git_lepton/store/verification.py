"""Verification of a local store: everything in it is read, and what is wrong is named."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from git_lepton.errors import LeptonError
from git_lepton.format.identifiers import ChunkId, ObjectId
from git_lepton.format.pack import Kind, index_bytes, parse_end
from git_lepton.store.chunk_store import Problem
from git_lepton.store.open_files import read_at

if TYPE_CHECKING:
    from git_lepton.store.pack_file import PackFile
    from git_lepton.store.pack_store import PackStore


def problems(store: PackStore) -> Iterator[Problem]:
    """Packs whose index is not sound, chunks that do not decode to what their names say, objects that lack chunks."""
    for pack in store.catalogue.packs():
        yield from _pack_problems(pack)
        yield from lost_before(store, pack)
    broken = set()
    for name in store.catalogue.chunk_names():
        try:
            store.read(ChunkId(name))
        except LeptonError as error:
            broken.add(name)
            yield Problem(name.hex(), error.message)
    for name in store.catalogue.manifest_names():
        yield from _object_problems(store, ObjectId(name), broken)


def is_damaged(pack: PackFile) -> bool:
    """Whether something is wrong with a pack, as far as its index and what was found before say: nothing else in it is read."""
    return bool(pack.damaged) or any(True for _ in _pack_problems(pack))


def _pack_problems(pack: PackFile) -> Iterator[Problem]:
    """An open pack has no index; what is torn at its end was never promised."""
    if pack.broken:
        yield Problem(pack.path.name, "it is damaged: what comes after its first bytes cannot be read")
    if not pack.sealed:
        return
    try:
        with pack.path.open("rb") as file:
            needed = index_bytes(read_at(file.fileno(), 8, pack.size - 8))
            parse_end(read_at(file.fileno(), needed, pack.size - needed), pack.size)
    except FileNotFoundError:
        return  # rewritten meanwhile
    except LeptonError as error:
        yield Problem(pack.path.name, error.message)


def lost_before(store: PackStore, pack: PackFile) -> Iterator[Problem]:
    """Records that somebody found damaged earlier, if they have not come again. In an open pack they were never promised."""
    for ordinal in pack.damaged if pack.sealed else ():
        record = pack.record(ordinal)
        look_up = store.catalogue.manifest if record.kind == Kind.MANIFEST else store.catalogue.chunk
        if look_up(record.name.raw) is None:
            subject = record.name.hex if record.kind == Kind.CHUNK else str(record.name)
            yield Problem(subject, f"its stored bytes are damaged (in {pack.path.name})")


def _object_problems(store: PackStore, oid: ObjectId, broken: set[bytes]) -> Iterator[Problem]:
    try:
        manifest = store.manifest(oid)
    except LeptonError as error:
        yield Problem(str(oid), error.message)
        return
    chunks = {entry.chunk for entry in manifest.entries} if manifest else set()
    lacking = store.missing(chunks) | {chunk for chunk in chunks if chunk.raw in broken}
    if lacking:
        yield Problem(str(oid), f"{len(lacking)} of its {len(chunks)} chunks are missing or damaged")
