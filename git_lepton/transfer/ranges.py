"""The plan of a download, checked, and cut into ranges that several streams can fetch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from git_lepton.errors import CorruptData
from git_lepton.format.identifiers import BadIdentifier, ChunkId
from git_lepton.format.manifest import MAX_CHUNK_BYTES
from git_lepton.format.pack import HEADER_BYTES, MAX_DEPTH
from git_lepton.wire.messages import Plan, RangeRequest

RANGE_BYTES = 16 * 1024 * 1024
_FIELDS = 8


class BadPlan(CorruptData):
    """The server's plan for a download does not hold together."""


@dataclass(frozen=True, slots=True)
class PlannedChunk:
    """Where one chunk's payload lies (bytes `start` to `start + length` of a pack, named in hex) and how it is coded."""

    name: ChunkId
    pack: str
    start: int
    length: int
    raw_length: int
    codec: int
    depth: int
    checksum: int
    base: ChunkId | None


def read_plan(asked: Sequence[ChunkId], plan: Plan) -> tuple[list[PlannedChunk], set[ChunkId]]:
    """The chunks that a plan tells how to fetch, and those of `asked` that the repository lacks. Raises BadPlan."""
    lacking = set(plan.missing)
    if not all(0 <= index < len(asked) for index in lacking):
        raise BadPlan("the plan lacks chunks that were not asked for")
    there = [name for index, name in enumerate(asked) if index not in lacking]
    try:
        names = there + [ChunkId.parse_hex(text) for text in plan.extra]
    except BadIdentifier as error:
        raise BadPlan("the plan names a chunk by what is no name") from error
    if len(names) != len(plan.entries):
        raise BadPlan(f"the plan has {len(plan.entries)} entries for {len(names)} chunks")
    planned = [_planned(name, entry, names, plan) for name, entry in zip(names, plan.entries, strict=True)]
    return planned, {asked[index] for index in lacking}


def _planned(name: ChunkId, entry: list[int], names: Sequence[ChunkId], plan: Plan) -> PlannedChunk:
    if len(entry) != _FIELDS:
        raise BadPlan(f"the plan's entry for {name} has {len(entry)} fields")
    pack, start, length, raw_length, codec, depth, checksum, base = entry
    sound = (
        0 <= pack < len(plan.packs)
        and start >= HEADER_BYTES
        and 0 < raw_length <= MAX_CHUNK_BYTES
        and 0 < length <= raw_length + 64
        and start + length <= plan.packs[pack].size
        and 0 <= depth <= MAX_DEPTH
        and -1 <= base < len(names)
        and (base == -1) == (depth == 0)
    )
    if not sound:
        raise BadPlan(f"the plan's entry for {name} is not possible")
    base_name = None if base == -1 else names[base]
    return PlannedChunk(name, plan.packs[pack].pack, start, length, raw_length, codec, depth, checksum, base_name)


@dataclass(frozen=True, slots=True)
class PackRange:
    """Chunks of one pack that lie side by side, in the order of their bytes. `tries` counts addresses that had expired."""

    chunks: tuple[PlannedChunk, ...]
    tries: int = 0

    @property
    def request(self) -> RangeRequest:
        last = self.chunks[-1]
        return RangeRequest(last.pack, self.chunks[0].start, last.start + last.length)

    @property
    def length(self) -> int:
        """Bytes."""
        return self.request.end - self.request.start


def cut_ranges(chunks: Iterable[PlannedChunk], longest: int = RANGE_BYTES) -> list[PackRange]:
    """Ranges of at most `longest` bytes (a single chunk may be longer) that hold each of these chunks once.

    Packs come in the order in which `chunks` meets them.
    """
    by_pack: dict[str, list[PlannedChunk]] = {}
    for chunk in chunks:
        by_pack.setdefault(chunk.pack, []).append(chunk)
    ranges: list[PackRange] = []
    for found in by_pack.values():
        found.sort(key=lambda chunk: chunk.start)
        held = [found[0]]
        for chunk in found[1:]:
            adjoins = chunk.start == held[-1].start + held[-1].length + HEADER_BYTES
            if not adjoins or chunk.start + chunk.length - held[0].start > longest:
                ranges.append(PackRange(tuple(held)))
                held = []
            held.append(chunk)
        ranges.append(PackRange(tuple(held)))
    return ranges


def ordered_ranges(chunks: Sequence[PlannedChunk], longest: int = RANGE_BYTES) -> list[PackRange]:
    """Ranges as `cut_ranges` makes them, each after those that hold bases of its chunks, else in the order of `chunks`.

    In a range a base comes before its deltas. Where packs hold them in such disorder that no order of long ranges does it, no range
    holds both a chunk and its base, which may make them short.
    """
    names = {chunk.name: chunk for chunk in chunks}
    order = _bases_first(cut_ranges(chunks, longest))
    if order is not None:
        return order
    by_rank: dict[int, list[PlannedChunk]] = {}
    for chunk in chunks:
        by_rank.setdefault(_rank(chunk, names), []).append(chunk)
    return [item for rank in sorted(by_rank) for item in cut_ranges(by_rank[rank], longest)]


def _rank(chunk: PlannedChunk, names: Mapping[ChunkId, PlannedChunk]) -> int:
    """How many of the chunks below this one are to be fetched as well. Raises BadPlan where that has no end."""
    rank, below = 0, chunk
    while below.base is not None and below.base in names:
        rank, below = rank + 1, names[below.base]
        if rank > MAX_DEPTH:
            raise BadPlan(f"the plan's chunk {chunk.name} lies on more than {MAX_DEPTH} bases")
    return rank


def _bases_first(ranges: Sequence[PackRange]) -> list[PackRange] | None:
    """These ranges, each after those that it needs; None if there is no such order."""
    places = {chunk.name: (index, at) for index, item in enumerate(ranges) for at, chunk in enumerate(item.chunks)}
    needed: list[list[int]] = []
    for index, item in enumerate(ranges):
        below = [(at, places[chunk.base]) for at, chunk in enumerate(item.chunks) if chunk.base in places]
        if any(place[0] == index and place[1] > at for at, place in below):
            return None
        needed.append(sorted({place[0] for _, place in below} - {index}))
    order = _each_after(needed)
    return None if order is None else [ranges[index] for index in order]


def _each_after(needed: Sequence[Sequence[int]]) -> list[int] | None:
    """The numbers from 0 on, as near to their order as can be, but each after those that it needs; None where that is a circle."""
    order: list[int] = []
    done, open_ = set[int](), set[int]()
    for first in range(len(needed)):
        waiting = [first]
        while waiting:
            number = waiting[-1]
            before = [other for other in needed[number] if other not in done]
            if number in done or not before:
                waiting.pop()
                if number not in done:
                    done.add(number)
                    order.append(number)
                continue
            if number in open_:
                return None
            open_.add(number)
            waiting += reversed(before)
    return order
