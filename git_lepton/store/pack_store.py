"""Packs in a folder, read and appended to by any number of processes at once.

Each process appends to one pack of its own, which it locks; sealed packs never change. Loss of power, kill -9 and a full disk
at any point leave what was synced. See `chunk_store` for what a store promises, docs/format.md section 5 for the files.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import xxhash

from git_lepton.format.identifiers import ChunkId, Digest, ObjectId
from git_lepton.format.manifest import Manifest, parse_manifest
from git_lepton.format.pack import MAX_DEPTH, BadPack, Kind, Record
from git_lepton.store.base_chains import packs_of_chain, read_chain
from git_lepton.store.catalogue import Catalogue
from git_lepton.store.chunk_store import (
    BaseRefused,
    ChunkMissing,
    DamagedChunk,
    disk_errors,
    explained,
)
from git_lepton.store.open_files import OpenFiles
from git_lepton.store.own_packs import OwnPacks
from git_lepton.store.pack_file import PackFile
from git_lepton.store.reliance import Reliance
from git_lepton.store.store_gate import StoreGate

if TYPE_CHECKING:
    from git_lepton.format.coding.encoded import EncodedChunk

_OPEN_FILES = 64


class PackStore:
    """Chunks and manifests in `root` (made on first write): a WritableChunkStore. What removes packs is built on it: see LocalStore."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.catalogue = Catalogue(root / "packs")
        self.files = OpenFiles(_OPEN_FILES)
        self.gate = StoreGate(root / "lock")
        self._own = OwnPacks(root, self.catalogue)
        self._reliance = Reliance()
        self._lock = threading.RLock()
        self._loaded = False
        self._pins = 0
        self._pinning = contextlib.ExitStack()
        self._superseded: list[tuple[PackFile, int]] = []  # records that were added anew, since a base of theirs is gone

    # Reading

    def missing(self, names: Iterable[ChunkId]) -> set[ChunkId]:
        """Those of `names` that are not here with all their bases, as of the last refresh."""
        self._load()
        return {name for name in names if not self._is_whole(name)}

    def encoded(self, name: ChunkId) -> EncodedChunk:
        """The chunk as it is stored, its checksum checked. Raises ChunkMissing, DamagedChunk."""
        from git_lepton.format.coding.encoded import EncodedChunk

        if (found := self._fetch(name)) is None:
            raise ChunkMissing(name)
        record, payload = found
        return EncodedChunk(name, record.codec, record.depth, record.base, record.raw_length, payload, record.checksum)

    def read(self, name: ChunkId) -> bytes | bytearray:
        """The chunk's raw bytes, its name checked. Raises ChunkMissing, or a CorruptData that names the chunk."""
        return read_chain(self.encoded, name)

    def _is_whole(self, name: ChunkId) -> bool:
        """Whether a chunk is here with all its bases."""
        packs = packs_of_chain(self.catalogue, name)
        for pack in packs or ():
            self._reliance.on_record(pack)
        return packs is not None

    def record(self, name: ChunkId) -> Record | None:
        """How a chunk is stored, as of the last refresh: no payload is read, so it is cheap. None if it is not here."""
        self._load()
        place = self.catalogue.chunk(name.raw)
        return place[0].record(place[1]) if place else None

    def depth(self, name: ChunkId) -> int:
        """The number of bases below a chunk; 0 too where it is not here."""
        return record.depth if (record := self.record(name)) else 0

    def base(self, name: ChunkId) -> ChunkId | None:
        """The chunk that this one is coded against; None too where it is not here."""
        return record.base if (record := self.record(name)) else None

    def manifest(self, oid: ObjectId) -> Manifest | None:
        """The chunks of this object, or None if that is not known here. Raises DamagedChunk."""
        if (found := self._fetch(oid)) is None:
            return None
        manifest = parse_manifest(found[1])
        if manifest.oid != oid:
            raise DamagedChunk(oid, "its manifest is that of another object")
        return manifest

    def manifests(self) -> Iterator[Manifest]:
        """All manifests, in no order."""
        self.refresh()
        for name in self.catalogue.manifest_names():
            if (manifest := self.manifest(ObjectId(name))) is not None:
                yield manifest

    def refresh(self) -> None:
        """See what other processes added or dropped."""
        with self._lock, disk_errors(self.root):
            self.catalogue.refresh()
            self._loaded = True

    def _load(self) -> None:
        if not self._loaded:
            self.refresh()

    def _find(self, name: Digest) -> tuple[PackFile, int] | None:
        return self.catalogue.manifest(name.raw) if isinstance(name, ObjectId) else self.catalogue.chunk(name.raw)

    def _fetch(self, name: Digest) -> tuple[Record, bytes] | None:
        """Header and payload of a record; None if it is not here. A pack may vanish under us, its records moved to another."""
        self._load()
        for _ in range(8):
            place = self._find(name)
            if place is None:
                self.refresh()
                place = self._find(name)
            if place is None:
                return None
            try:
                return self.payload(name, *place)
            except FileNotFoundError:
                self.refresh()
            except OSError as error:
                raise explained(error, self.root) from error
            except DamagedChunk:
                return self._other_copy(name, place)
        return None

    def payload(self, name: Digest, pack: PackFile, ordinal: int) -> tuple[Record, bytes]:
        """One record of a pack, checked. Raises DamagedChunk, FileNotFoundError."""
        try:
            record = pack.record(ordinal)
        except BadPack as error:
            raise DamagedChunk(name, "its header does not match its checksum") from error
        if record.name != name:
            raise DamagedChunk(name, "its header is another's")
        payload = self.files.read(pack.path, record.stored_length, pack.offset(ordinal))
        if len(payload) != record.stored_length or xxhash.xxh3_64_intdigest(payload) != record.checksum:
            raise DamagedChunk(name, f"they do not match their checksum (in {pack.path.name})")
        return record, payload

    def _other_copy(self, name: Digest, damaged: tuple[PackFile, int]) -> tuple[Record, bytes]:
        """A sound copy elsewhere, or here at a second look. If there is none the record counts as missing from now on, for every
        process, so that it can be added anew."""
        for place in [*self.catalogue.copies(name.raw), damaged]:
            with contextlib.suppress(DamagedChunk, FileNotFoundError):
                return self.payload(name, *place)
        with self._lock:
            for pack, ordinal in [*self.catalogue.copies(name.raw), damaged]:
                pack.note_damage(ordinal)
            self.catalogue.forget(name.raw)
        raise DamagedChunk(name, f"they do not match their checksum (in {damaged[0].path.name})")

    # Adding

    def add(self, chunk: EncodedChunk) -> None:
        """Keep this encoding, unless the chunk is here with all its bases. Raises BaseRefused, StoreFull, StoreNotWritable, DiskTrouble."""
        self._load()
        with self._lock:
            if not self._is_whole(chunk.name):
                header = self._placed(chunk).encode()
                self._superseded += self.catalogue.copies(chunk.name.raw) if self._find(chunk.name) else ()
                self.catalogue.forget(chunk.name.raw)  # a delta whose base went: what is added now counts
                self._own.append(header, chunk.payload)

    def _placed(self, chunk: EncodedChunk) -> Record:
        """The chunk's header, with the depth that it has here: elsewhere its base may be coded in another way. So every delta lies
        deeper than its base, and no chain is a circle."""
        record = chunk.record()
        if chunk.base is None:
            return record
        if not self._is_whole(chunk.base):
            raise BaseRefused(f"chunk {chunk.name} has a base that is not stored: {chunk.base}")
        depth = self.depth(chunk.base) + 1
        if depth > MAX_DEPTH:
            raise BaseRefused(f"chunk {chunk.name} would lie on more than {MAX_DEPTH} bases")
        return replace(record, depth=depth)

    def add_manifest(self, manifest: Manifest) -> None:
        """Keep this manifest, unless the object has one; then note that it is in use again (see `prune`)."""
        self._load()
        with self._lock:
            if not self._holds(manifest.oid):
                data = manifest.encode()
                checksum = xxhash.xxh3_64_intdigest(data)
                record = Record(Kind.MANIFEST, 0, 0, len(data), len(data), manifest.oid, None, checksum)
                return self._own.append(record.encode(), data)
            if place := self._find(manifest.oid):
                self._reliance.on_manifest(place[0])
        return None

    def _holds(self, name: Digest) -> bool:
        place = self._find(name)
        if place:
            self._reliance.on_record(place[0])
        return place is not None

    def sync(self) -> None:
        """All that was added is durable, and all that this process was told is here."""
        with self._lock:
            self._own.make_durable(self._reliance)
            while self._superseded:
                pack, ordinal = self._superseded.pop()
                pack.note_damage(ordinal)
            self._reliance.mark_in_use()

    @contextmanager
    def pinned(self) -> Iterator[None]:
        """Refreshes; until it is left, nothing that is here is pruned, by this or any other process. Threads may nest it."""
        with self._lock:
            if not self._pins:
                self._pin()
            self._pins += 1
        try:
            yield
        finally:
            with self._lock:
                self._pins -= 1
                if not self._pins:
                    self._pinning.close()

    def _pin(self) -> None:
        with contextlib.ExitStack() as entered, disk_errors(self.root):
            removed = entered.enter_context(self.gate.keeping())
            self.catalogue.refresh(thoroughly=removed)
            self._loaded = True
            self._pinning = entered.pop_all()
