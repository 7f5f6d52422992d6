"""A plan for fetching chunks, made in little memory however many bases lie under them: looked up in windows, written out in parts."""

from __future__ import annotations

import json
import struct
from collections.abc import Collection, Iterable, Iterator
from itertools import islice

from sqlalchemy import Connection, select

from git_lepton.wire.protocol import DIGEST_BYTES
from lepton_server import names
from lepton_server.names import Encoding
from lepton_server.repositories import Repository
from lepton_server.tables import packs

_WINDOW = 8_000  # chunks looked up at once
_PART = 5_000  # entries written at once
_ENTRY = struct.Struct("<IQQQBBQ32s")
_NO_BASE = bytes(DIGEST_BYTES)


def windows(digests: bytes, size: int = _WINDOW) -> Iterator[list[bytes]]:
    """The names that lie one after the other in `digests`, so many at a time."""
    step = DIGEST_BYTES * size
    for start in range(0, len(digests), step):
        end = min(start + step, len(digests))
        yield [digests[at : at + DIGEST_BYTES] for at in range(start, end, DIGEST_BYTES)]


class PlanDraft:
    """Where each chunk lies, in the order asked for, then the bases that they need besides. About 300 bytes of memory for each."""

    def __init__(self, connection: Connection, repository: Repository, digests: bytes) -> None:
        self._place: dict[bytes, int] = {}
        self._entries = bytearray()
        self._packs: dict[int, int] = {}
        self._missing: list[int] = []
        bases: set[bytes] = set()
        for number, window in enumerate(windows(digests)):
            found = names.linked(connection, repository, window)
            self._missing += [number * _WINDOW + at for at, name in enumerate(window) if name not in found]
            bases |= self._add(found[name] for name in window if name in found)
        self._asked = len(self._place)
        while bases := {name for name in bases if name not in self._place}:
            bases = self._add_bases(connection, repository, bases)
        self._listed = _described(connection, self._packs)

    def _add_bases(self, connection: Connection, repository: Repository, wanted: Collection[bytes]) -> set[bytes]:
        following: set[bytes] = set()
        for window in windows(b"".join(sorted(wanted))):
            following |= self._add(names.in_tenant(connection, repository.tenant, window).values())
        return following

    def _add(self, found: Iterable[Encoding]) -> set[bytes]:
        """Append entries; the bases that they need."""
        bases: set[bytes] = set()
        for chunk, pack, _, offset, stored, raw, codec, depth, base, checksum in found:
            self._place[chunk] = len(self._entries) // _ENTRY.size
            index = self._packs.setdefault(pack, len(self._packs))
            self._entries += _ENTRY.pack(index, offset, stored, raw, codec, depth, checksum, base or _NO_BASE)
            if base:
                bases.add(base)
        return bases

    def parts(self) -> Iterator[bytes]:
        """The JSON text of the plan (`wire.messages.Plan`)."""
        yield b'{"packs":' + json.dumps(self._listed, separators=(",", ":")).encode()
        yield b',"entries":['
        yield from self._listing(self._texts())
        yield b'],"extra":['
        yield from self._listing(f'"{name.hex()}"' for name in islice(self._place, self._asked, None))
        yield b'],"missing":' + json.dumps(self._missing, separators=(",", ":")).encode() + b"}"

    def _texts(self) -> Iterator[str]:
        place = self._place
        for pack, offset, stored, raw, codec, depth, checksum, base in _ENTRY.iter_unpack(self._entries):
            on = -1 if base == _NO_BASE else place[base]
            yield f"[{pack},{offset},{stored},{raw},{codec},{depth},{checksum},{on}]"

    @staticmethod
    def _listing(texts: Iterator[str]) -> Iterator[bytes]:
        comma = ""
        while part := list(islice(texts, _PART)):
            yield (comma + ",".join(part)).encode()
            comma = ","


def _described(connection: Connection, needed: Collection[int]) -> list[dict[str, str | int]]:
    known: dict[int, dict[str, str | int]] = {}
    numbers = list(needed)
    for start in range(0, len(numbers), 1000):
        query = select(packs.c.id, packs.c.name, packs.c.size).where(packs.c.id.in_(numbers[start : start + 1000]))
        known |= {id_: {"pack": name.hex(), "size": size} for id_, name, size in connection.execute(query)}
    return [known[id_] for id_ in numbers]
