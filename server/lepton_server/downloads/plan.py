"""A plan for fetching chunks, made in little memory however many bases lie under them: looked up in windows, written out in parts."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from functools import partial
from itertools import islice

from sqlalchemy import Connection, select

from lepton_server.content import chunks
from lepton_server.content.chunk_lookup import MOST_NAMES, sorted_names, split, windows
from lepton_server.database.tables import packs
from lepton_server.database.transactions import in_batches
from lepton_server.repositories.registry import Repository

_PART = 5_000  # entries written at once
_ALL_BITS = 0xFFFFFFFFFFFFFFFF


class PlanDraft:
    """Where each chunk lies, in the order asked for, then the bases that they need besides. About 300 bytes of memory for each."""

    def __init__(self, connection: Connection, repository: Repository, digests: bytes) -> None:
        self._connection, self._tenant = connection, repository.tenant
        self._texts: list[str] = []  # of entries, without the base and the bracket that ends them
        self._bases: dict[int, bytes] = {}  # of those entries that have one
        self._packs: dict[int, int] = {}
        self._listed: list[dict[str, str | int]] = []
        self._missing: list[int] = []
        self._extra: list[bytes] = []
        self._place: dict[bytes, int] = {}
        for number, window in enumerate(windows(digests)):
            absent = self._add(window, partial(chunks.held_by, repository.id))
            self._missing += [number * MOST_NAMES + at for at in absent]
        if self._bases:
            self._add_bases(digests)

    def _add_bases(self, digests: bytes) -> None:
        lacking = set(self._missing)
        there = (name for at, name in enumerate(split(digests)) if at not in lacking)
        self._place = {name: index for index, name in enumerate(there)}
        while wanted := sorted({base for base in self._bases.values() if base not in self._place}):
            for window in windows(b"".join(wanted)):
                before = len(self._texts)
                absent = set(self._add(window))
                found = [name for at, name in enumerate(split(window)) if at not in absent]
                self._place |= {name: before + index for index, name in enumerate(found)}
                self._extra += found

    def _add(self, window: bytes, condition: chunks.Condition | None = None) -> list[int]:
        """Append entries for these chunks; the places of those that are not there."""
        order, ordered = sorted_names(window)
        rows = chunks.located(self._connection, self._tenant, ordered, condition)
        self._describe({row[1] for row in rows} - self._packs.keys())
        texts: list[str] = [""] * len(order)
        bases: dict[int, bytes] = {}
        index = self._packs
        for n, pack, offset, stored, raw, codec, depth, base, checksum in rows:
            if pack in index:
                place = order[n]
                texts[place] = f"[{index[pack]},{offset},{stored},{raw},{codec},{depth},{checksum & _ALL_BITS},"
                if base is not None:
                    bases[place] = base
        absent = [at for at, text in enumerate(texts) if not text] if "" in texts else []
        self._keep(texts, bases, absent)
        return absent

    def _keep(self, texts: list[str], bases: dict[int, bytes], absent: list[int]) -> None:
        """Add a window's entries, but those that are absent, to what the plan has."""
        before = len(self._texts)
        if absent:
            there = [at for at, text in enumerate(texts) if text]
            texts, bases = [texts[at] for at in there], {new: bases[at] for new, at in enumerate(there) if at in bases}
        self._texts += texts
        self._bases.update((before + at, base) for at, base in bases.items())

    def _describe(self, new: Collection[int]) -> None:
        """Give those of these packs that are verified a place in the plan's list."""
        for some in in_batches(sorted(new)):
            query = select(packs.c.id, packs.c.name, packs.c.size).where(packs.c.id.in_(some), packs.c.state == "verified")
            for number, name, size in self._connection.execute(query):
                self._packs[number] = len(self._listed)
                self._listed.append({"pack": name.hex(), "size": size})

    def parts(self) -> Iterator[bytes]:
        """The JSON text of the plan (`wire.messages.Plan`)."""
        yield b'{"packs":' + json.dumps(self._listed, separators=(",", ":")).encode()
        yield b',"entries":['
        yield from _listing(self._entries())
        yield b'],"extra":['
        yield from _listing(f'"{name.hex()}"' for name in self._extra)
        yield b'],"missing":' + json.dumps(self._missing, separators=(",", ":")).encode() + b"}"

    def _entries(self) -> Iterator[str]:
        if not self._bases:
            return (f"{text}-1]" for text in self._texts)
        on = (self._place[base] if (base := self._bases.get(at)) else -1 for at in range(len(self._texts)))
        return (f"{text}{place}]" for text, place in zip(self._texts, on, strict=True))


def _listing(texts: Iterator[str]) -> Iterator[bytes]:
    comma = ""
    while part := list(islice(texts, _PART)):
        yield (comma + ",".join(part)).encode()
        comma = ","
