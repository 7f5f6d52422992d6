"""A remote that is a folder: weights go between two local stores, ours and that of the other repository.

For `git clone ./repo`, bare repositories on a shared disk and the like. Only what the named objects need is copied, in the
encodings that are there; a base goes before what is coded against it, the chunks before the manifest. What is pushed takes no base
along that belongs to nothing which is pushed or there: it is coded anew. Copying again copies what is still missing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from git_lepton.errors import LeptonError, WeightsMissing, WrongUse
from git_lepton.format.pack import MAX_DEPTH
from git_lepton.store.chunk_store import BaseRefused
from git_lepton.store.local_store import LocalStore
from git_lepton.store.recoding import OtherBase, decoded_and_solo, recode

if TYPE_CHECKING:
    from git_lepton.format.identifiers import ChunkId, ObjectId
    from git_lepton.format.manifest import Manifest
    from git_lepton.format.pointer import Pointer


class FolderLacksObjects(WeightsMissing):
    """Some of the wanted objects are not in the store that should have them. `objects` are their oids; `bytes_received` of the others."""

    def __init__(self, objects: Sequence[ObjectId], folder: Path, hint: str, bytes_received: int = 0) -> None:
        first = f"{objects[0]}" + (f" and {len(objects) - 1} more" if len(objects) > 1 else "")
        super().__init__(f"the store in {folder} lacks {first}", hint)
        self.objects = objects
        self.bytes_received = bytes_received


class NotAServer(WrongUse):
    """Only a server can do what was asked, and the store is a folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"the store is the folder {folder}, and this needs a server", "git config lepton.url https://HOST/OWNER/REPO"
        )


class Meter(Protocol):
    """What a copy tells of its progress, in bytes."""

    def start(self, total: int) -> None: ...
    def advance(self, count: int) -> None: ...
    def finish(self) -> None: ...


@dataclass(frozen=True)
class Copied:
    """What a copy moved: objects that were not there before, stored bytes copied, and stored bytes that were there already."""

    objects: int
    bytes_copied: int
    bytes_known: int


class FolderRemote:
    """The store of the repository whose common git directory is `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._store = LocalStore(folder / "lepton")

    def stored(self, pointers: Iterable[Pointer], *, looked_at: bool = False) -> set[ObjectId]:
        """Which of these objects can be rebuilt from there. `looked_at`: their bytes are read and checked, not only their index: a
        folder has no server that verified them."""
        with self._store.pinned():
            whole = {pointer.oid for pointer in pointers if _complete(self._store, self._store.manifest(pointer.oid))}
            return {oid for oid in whole if not looked_at or self._is_sound(oid)}

    def _is_sound(self, oid: ObjectId) -> bool:
        manifest = self._store.manifest(oid)
        try:
            for entry in manifest.entries if manifest else ():
                self._store.read(entry.chunk)
        except LeptonError:
            return False
        return manifest is not None

    def fetch(self, store: LocalStore, pointers: Sequence[Pointer], meter: Meter) -> Copied:
        """Bring these objects into `store`. What is there is copied in any case; raises FolderLacksObjects if some are not."""
        return _copy(
            self._store, store, pointers, meter, self.folder, "Somebody who has these weights has to run: git lepton push"
        )

    def push(self, store: LocalStore, pointers: Sequence[Pointer], meter: Meter) -> Copied:
        """Send these objects from `store`. Raises FolderLacksObjects for what `store` itself lacks."""
        hint = "Add the files again, or fetch them from where they are."
        return _copy(store, self._store, pointers, meter, store.root, hint, with_bases=False)

    def close(self) -> None:
        self._store.close()


def _copy(
    source: LocalStore,
    target: LocalStore,
    pointers: Sequence[Pointer],
    meter: Meter,
    folder: Path,
    hint: str,
    *,
    with_bases: bool = True,
) -> Copied:
    with source.pinned(), target.pinned():
        wanted = {p.oid: p for p in pointers if not _complete(target, target.manifest(p.oid))}
        manifests = [manifest for oid in wanted if _complete(source, manifest := source.manifest(oid)) and manifest]
        copied = _copy_objects(source, target, manifests, meter, with_bases=with_bases)
        target.sync()
    sound = {manifest.oid for manifest in manifests}
    absent = [oid for oid in wanted if oid not in sound]
    if absent:
        raise FolderLacksObjects(absent, folder, hint, copied)
    total = sum(pointer.size for pointer in pointers)
    return Copied(len(manifests), copied, total - sum(manifest.size for manifest in manifests))


def _copy_objects(
    source: LocalStore, target: LocalStore, manifests: Sequence[Manifest], meter: Meter, *, with_bases: bool
) -> int:
    """Copy what these objects need; without bases that belong to none of them and are not there (`with_bases`). Returns the stored bytes
    copied."""
    lengths = {entry.chunk: entry.length for manifest in manifests for entry in manifest.entries}
    missing = target.missing(lengths)
    meter.start(sum(lengths[name] for name in missing))
    copied = 0
    for manifest in manifests:
        for entry in manifest.entries:
            if entry.chunk in missing:
                missing.discard(entry.chunk)
                copied += _copy_chunk(source, target, entry.chunk, None if with_bases else lengths.keys())
                meter.advance(entry.length)
        target.add_manifest(manifest)
    meter.finish()
    return copied


def _copy_chunk(source: LocalStore, target: LocalStore, name: ChunkId, going: Collection[ChunkId] | None) -> int:
    """Copy one chunk, its bases first: any (None), or those of `going`; on others it does not go. Returns the stored bytes copied."""
    from git_lepton.format.coding.encoded import RELEASED

    chunk = source.encoded(name)
    base, copied = chunk.base, 0
    while base is not None and target.missing([base]):
        if going is None or base in going:
            copied += _copy_chunk(source, target, base, going)
            break
        base = source.base(base)  # it was never meant to be there: the nearest below it that is
    if base != chunk.base:
        room = base is not None and target.depth(base) < MAX_DEPTH
        chunk = recode(source, chunk, RELEASED, OtherBase(base, target.depth(base)) if base is not None and room else None)
    try:
        target.add(chunk)
    except BaseRefused:  # its base lies deeper there than here
        target.add(decoded_and_solo(target, chunk, RELEASED))
    return copied + len(chunk.payload)


def _complete(store: LocalStore, manifest: Manifest | None) -> bool:
    return manifest is not None and not store.missing(entry.chunk for entry in manifest.entries)
