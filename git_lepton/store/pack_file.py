"""One local pack and its records: read from its index if it is sealed, else record by record (docs/format.md, section 5)."""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Iterable
from pathlib import Path

import xxhash

from git_lepton.format.pack import (
    HEADER_BYTES,
    PACK_HEAD,
    TRAILER_BYTES,
    BadPack,
    Kind,
    Record,
    check_pack_head,
    index_bytes,
    parse_record,
)
from git_lepton.store.file_lock import is_locked
from git_lepton.store.open_files import read_at

_BINARY = getattr(os, "O_BINARY", 0)
_NOTED = ".damaged"  # ends the name of the file beside a pack that tells which of its records are
_TAIL_BYTES = 64 * 1024  # one read gets the index of nearly every pack
_STORED_LENGTH = struct.Struct("<4xI80x")
_BASE, _NO_BASE = slice(48, 80), bytes(32)  # of a header
_GLANCE = struct.Struct("<BxB13x32s40x")  # kind, depth, name


class PackFile:
    """The records of one pack, as last looked at. `end` is where the last of them ends; `sealed`: no more will come; `broken`:
    something stands there, or after it, that no interrupted write leaves."""

    __slots__ = ("_offsets", "broken", "damaged", "end", "headers", "mine", "path", "sealed", "size")

    def __init__(self, path: Path, *, mine: bool = False) -> None:
        self.path = path
        self.mine = mine  # this process appends to it
        self.sealed = False
        self.headers = bytearray()
        self.broken = False
        self.damaged: set[int] = set()  # records found to be damaged, now or earlier: as if they were not there
        self.end = 0
        self.size = 0
        self._offsets: list[int] = []

    def __len__(self) -> int:
        return len(self.headers) // HEADER_BYTES

    @property
    def owner(self) -> str:
        """The token of the process that wrote it: packs of one process begin with the same."""
        return self.path.name.partition("-")[0]

    def glance(self, start: int = 0) -> Iterable[tuple[int, int, bytes]]:
        """Kind, depth and name of each record from number `start` on."""
        return _GLANCE.iter_unpack(bytes(self.headers[start * HEADER_BYTES :]))

    def header(self, ordinal: int) -> bytes:
        return bytes(self.headers[ordinal * HEADER_BYTES : (ordinal + 1) * HEADER_BYTES])

    def base(self, ordinal: int) -> bytes | None:
        """The name of the chunk that a record's chunk is coded against."""
        name = self.header(ordinal)[_BASE]
        return name if name != _NO_BASE else None

    def record(self, ordinal: int) -> Record:
        """Raises BadPack if the header is damaged."""
        return parse_record(self.header(ordinal))

    def length(self, ordinal: int) -> int:
        """Bytes of a record on disk, its header among them."""
        return HEADER_BYTES + int(_STORED_LENGTH.unpack_from(self.headers, ordinal * HEADER_BYTES)[0])

    def offset(self, ordinal: int) -> int:
        """Where the payload of a record begins."""
        offsets = self._offsets
        if ordinal >= len(offsets):
            offsets = list(offsets)
            at = len(PACK_HEAD)
            if offsets:
                at = offsets[-1] + _STORED_LENGTH.unpack_from(self.headers, (len(offsets) - 1) * HEADER_BYTES)[0]
            for (length,) in _STORED_LENGTH.iter_unpack(bytes(self.headers[len(offsets) * HEADER_BYTES :])):
                offsets.append(at + HEADER_BYTES)
                at += HEADER_BYTES + length
            self._offsets = offsets  # replaced at once: readers in other threads see the old list or the new one
        return offsets[ordinal]

    def append(self, header: bytes, end: int) -> None:
        """The owner has written a record, which ends at `end`."""
        self.headers += header
        self.end = self.size = end

    def look(self) -> None:
        """Take in what is in the file now. Raises FileNotFoundError, or UnknownPackVersion for a newer program's pack."""
        descriptor = os.open(self.path, os.O_RDONLY | _BINARY)
        try:
            self.size = os.fstat(descriptor).st_size
            has_head = self.end > 0 or self._read_head(descriptor)
            if not self._read_index(descriptor) and has_head:
                self._scan(descriptor)
        finally:
            os.close(descriptor)
        self._read_notes()

    def _read_head(self, descriptor: int) -> bool:
        """Whether the file begins as a pack does; one that does not (yet) has no records."""
        head = read_at(descriptor, len(PACK_HEAD), 0)
        try:
            check_pack_head(head)
        except BadPack:
            self.broken = any(head) and not PACK_HEAD.startswith(head)
            return False
        self.end = len(PACK_HEAD)
        return True

    def _read_index(self, descriptor: int) -> bool:
        """Take the records from the index at the end, if there is a sound one."""
        tail = read_at(descriptor, min(self.size, _TAIL_BYTES), max(0, self.size - _TAIL_BYTES))
        try:
            needed = index_bytes(tail[-TRAILER_BYTES:])
            if needed > len(tail):
                tail = read_at(descriptor, needed, max(0, self.size - needed))
            end = parse_record(tail[-needed : HEADER_BYTES - needed])
        except BadPack:
            return False
        index = tail[HEADER_BYTES - needed : -TRAILER_BYTES]
        if end.kind is not Kind.END or len(index) != end.stored_length or xxhash.xxh3_64_intdigest(index) != end.checksum:
            return False
        self.headers, self.end, self.sealed, self.broken = bytearray(index), self.size - needed, True, False
        return True

    def note_damage(self, ordinal: int) -> None:
        """From now on this record is as if it were not there, for every process: only so does it come here again. Where the
        folder cannot be written nobody else learns of it."""
        self.damaged.add(ordinal)
        with contextlib.suppress(OSError), self.path.with_suffix(_NOTED).open("ab") as notes:
            notes.write(b"%d\n" % ordinal)

    def _read_notes(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            lines = self.path.with_suffix(_NOTED).read_bytes().splitlines()
            self.damaged.update(int(line) for line in lines if line.isdigit() and int(line) < len(self))

    def remove(self) -> None:
        """Take the file away, now that its records are elsewhere. What was not understood of a broken one stays for experts,
        under a name that is no pack's."""
        if self.broken:
            self.path.replace(self.path.with_suffix(".broken"))
        else:
            self.path.unlink()
        self.path.with_suffix(_NOTED).unlink(missing_ok=True)

    def _scan(self, descriptor: int) -> None:
        """Take the whole records that follow what is known. After a loss of power the payloads of a pack whose owner is gone
        may be missing though their headers are there: they are checked now, and known as damaged."""
        orphan = not is_locked(descriptor)
        while self.end + HEADER_BYTES <= self.size:
            header = read_at(descriptor, HEADER_BYTES, self.end)
            try:
                record = parse_record(header)
            except BadPack:
                self.broken = orphan and any(header)
                return
            after = self.end + HEADER_BYTES + record.stored_length
            if record.kind is Kind.END or after > self.size:
                return
            if (
                orphan
                and xxhash.xxh3_64_intdigest(read_at(descriptor, record.stored_length, self.end + HEADER_BYTES))
                != record.checksum
            ):
                self.damaged.add(len(self))
            self.headers += header
            self.end = after
