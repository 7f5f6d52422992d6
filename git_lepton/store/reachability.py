"""Reachability: the chunks that a set of objects needs, and the objects that nothing refers to."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from git_lepton.format.identifiers import ObjectId
from git_lepton.format.pack import Kind
from git_lepton.store.chunk_store import DamagedChunk, Unreferenced

if TYPE_CHECKING:
    from git_lepton.store.pack_file import PackFile
    from git_lepton.store.pack_store import PackStore


def reachable_chunks(store: PackStore, objects: Iterable[ObjectId], packs: Iterable[PackFile] = ()) -> set[bytes]:
    """The names of the chunks of these objects and of those in these packs, with the bases of both. An object that is not here
    needs nothing."""
    chunks = {name for pack in packs for kind, _, name in pack.glance() if kind == Kind.CHUNK}
    for oid in objects:
        chunks |= chunks_of(store, oid)
    return _with_bases(store, chunks)


def chunks_of(store: PackStore, oid: ObjectId) -> set[bytes]:
    """The names of an object's chunks. A damaged manifest keeps nothing: the object cannot be rebuilt from here any more."""
    try:
        manifest = store.manifest(oid)
    except DamagedChunk:
        return set()
    return {entry.chunk.raw for entry in manifest.entries} if manifest else set()


def _with_bases(store: PackStore, chunks: set[bytes]) -> set[bytes]:
    """With the bases of every copy: of two copies of a chunk the one that the catalogue names may be the damaged one."""
    bases = _bases(store)
    todo = list(chunks)
    while todo:
        for base in bases.get(todo.pop(), ()):
            if base not in chunks:
                chunks.add(base)
                todo.append(base)
    return chunks


def _bases(store: PackStore) -> dict[bytes, set[bytes]]:
    """For each chunk of which a copy is a delta, what its copies lie on."""
    found: dict[bytes, set[bytes]] = {}
    for pack in store.catalogue.packs():
        for ordinal, (_, depth, name) in enumerate(pack.glance()):
            if depth and (base := pack.base(ordinal)):
                found.setdefault(name, set()).add(base)
    return found


def stored_bytes(store: PackStore, chunks: Iterable[bytes]) -> int:
    """What these chunks take on disk."""
    places = map(store.catalogue.chunk, chunks)
    return sum(pack.length(ordinal) for pack, ordinal in filter(None, places))


def unreferenced(store: PackStore, keep: set[ObjectId]) -> list[Unreferenced]:
    """The objects outside `keep`, those longest unused first. A chunk that several of them use counts for the one used last."""
    counted = reachable_chunks(store, keep)
    now = time.time()
    found = []
    for changed, name in sorted(_last_use(store, keep), reverse=True):
        own = _with_bases(store, chunks_of(store, ObjectId(name))) - counted
        counted |= own
        found.append(Unreferenced(ObjectId(name), stored_bytes(store, own), now - changed))
    return found[::-1]


def _last_use(store: PackStore, keep: set[ObjectId]) -> list[tuple[float, bytes]]:
    """When each object outside `keep` was added or last asked for (as its pack's time tells), and its name."""
    kept, times = {oid.raw for oid in keep}, []
    for name in store.catalogue.manifest_names():
        place = store.catalogue.manifest(name)
        if name not in kept and place:
            times.append((place[0].path.stat().st_mtime, name))
    return times
