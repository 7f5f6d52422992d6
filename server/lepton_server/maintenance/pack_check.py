"""Looks at every byte of one pack, and at every chunk that the database says lies there: as it is stored, and decoded."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import xxhash

from git_lepton.errors import CorruptData, WrongUse
from git_lepton.format.pack import HEADER_BYTES, Record
from lepton_server.content.chunks import Encoding, Encodings
from lepton_server.content.decoder import Decoder
from lepton_server.content.pack_reader import read_index
from lepton_server.storage.object_store import Readable, StoreBusy, StoreTrouble


@dataclass
class Findings:
    """What is wrong with a pack as a whole, in sentences, and for each chunk that cannot be read from it why."""

    problems: list[str] = field(default_factory=list)
    unreadable: dict[bytes, str] = field(default_factory=dict)

    @property
    def is_sound(self) -> bool:
        return not self.problems and not self.unreadable


class HeldPack:
    """Reads from a store; one pack of it lies in memory, so that it is fetched once however often parts of it are read."""

    def __init__(self, store: Readable) -> None:
        self._store = store
        self._key, self._data = "", b""

    def hold(self, key: str, data: bytes | None = None) -> int:
        """Fetch this pack, or take its bytes; their number. Raises ObjectMissing, StoreTrouble."""
        self._data = self._store.read(key, 0, self._store.size(key)) if data is None else data
        self._key = key
        return len(self._data)

    def size(self, key: str) -> int:
        return len(self._data) if key == self._key else self._store.size(key)

    def read(self, key: str, start: int, length: int) -> bytes:
        if key != self._key:
            return self._store.read(key, start, length)
        if start + length > len(self._data):
            raise StoreTrouble(f"{key} ends before byte {start + length}")
        return self._data[start : start + length]


class PackCheck:
    """Checks packs one after the other; `decoder` reads from `held`."""

    def __init__(self, held: HeldPack, decoder: Decoder, threads: int) -> None:
        self._held, self._decoder, self._threads = held, decoder, threads

    def check(self, key: str, name: bytes, live: list[Encoding], bases: Encodings) -> Findings:
        """Check the pack that is held: `live` are the encodings that lie in it, `bases` where what they lie on is. Raises StoreBusy."""
        findings = Findings()
        try:
            found, records = read_index(self._held, key)
        except (CorruptData, WrongUse, StoreTrouble) as error:
            findings.problems.append(error.message)
        else:
            if found != name:
                findings.problems.append(f"it is pack {found.hex()}, and should be {name.hex()}")
            findings.problems += self._problems(key, records)
        with ThreadPoolExecutor(self._threads) as pool:
            reasons = pool.map(lambda encoding: self._why_unreadable(encoding, bases), live)
            findings.unreadable = {encoding.chunk: why for encoding, why in zip(live, reasons, strict=True) if why}
        return findings

    def _problems(self, key: str, records: Iterable[tuple[int, Record]]) -> list[str]:
        """What is wrong with bytes of records, whether anything lives there or not."""
        found = []
        for offset, record in records:
            if self._held.read(key, offset - HEADER_BYTES, HEADER_BYTES) != record.encode():
                found.append(f"the header of chunk {record.name} is not what the index says")
            if xxhash.xxh3_64_intdigest(self._held.read(key, offset, record.stored_length)) != record.checksum:
                found.append(f"the payload of chunk {record.name} is damaged: its checksum does not match")
        return found

    def _why_unreadable(self, encoding: Encoding, bases: Encodings) -> str:
        try:
            self._decoder.read(encoding, bases)
        except StoreBusy:
            raise
        except (CorruptData, WrongUse, StoreTrouble) as error:
            return error.message
        return ""
