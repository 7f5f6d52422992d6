from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from git_lepton.format.identifiers import ChunkId
from git_lepton.format.pack import HEADER_BYTES
from git_lepton.transfer.ranges import BadPlan, PackRange, PlannedChunk, cut_ranges, ordered_ranges, read_plan
from git_lepton.wire.messages import Plan, PlannedPack

NAMES = [ChunkId(bytes([index]) * 32) for index in range(200)]


def laid_out(lengths: list[int], pack: str = "p") -> list[PlannedChunk]:
    """Chunks of these lengths, one after the other in a pack."""
    chunks, start = [], 8
    for name, length in zip(NAMES, lengths, strict=False):
        start += HEADER_BYTES
        chunks.append(PlannedChunk(name, pack, start, length, length, 0, 0, 0, None))
        start += length
    return chunks


@given(st.lists(st.integers(1, 50), min_size=1, max_size=40), st.data(), st.integers(1, 400))
def test_ranges_hold_each_chunk_once_and_only_what_adjoins(lengths: list[int], data: st.DataObject, longest: int) -> None:
    chunks = laid_out(lengths, "p") + [dataclasses.replace(chunk, pack="q") for chunk in laid_out(lengths)]
    wanted = data.draw(st.lists(st.sampled_from(chunks), unique=True))
    ranges = cut_ranges(wanted, longest)
    assert sorted((c.pack, c.start) for r in ranges for c in r.chunks) == sorted((c.pack, c.start) for c in wanted)
    for found in ranges:
        assert found.length <= longest or len(found.chunks) == 1
        assert len({chunk.pack for chunk in found.chunks}) == 1
        covered = sum(chunk.length for chunk in found.chunks) + HEADER_BYTES * (len(found.chunks) - 1)
        assert found.request.end - found.request.start == covered


def test_neighbours_share_a_range_up_to_its_length() -> None:
    chunks = laid_out([10, 10, 10, 10])
    assert [len(found.chunks) for found in cut_ranges(chunks, 10 + 88 + 10)] == [2, 2]
    assert [len(found.chunks) for found in cut_ranges([chunks[0], chunks[2], chunks[3]], 1000)] == [1, 2]


def plan(**changes: object) -> Plan:
    entries = [[0, 96, 10, 20, 1, 0, 7, -1], [1, 200, 10, 20, 2, 1, 8, 2], [0, 300, 10, 20, 1, 0, 9, -1]]
    sound = Plan([PlannedPack("aa", 1000), PlannedPack("bb", 1000)], entries, [NAMES[9].hex], [1])
    return dataclasses.replace(sound, **changes)  # type: ignore[arg-type]


def test_a_plan_is_read_with_its_bases_and_its_gaps() -> None:
    chunks, lacking = read_plan(NAMES[:3], plan())
    assert lacking == {NAMES[1]}
    assert [(chunk.name, chunk.pack, chunk.base) for chunk in chunks] == [
        (NAMES[0], "aa", None),
        (NAMES[2], "bb", NAMES[9]),
        (NAMES[9], "aa", None),
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"missing": [3]},
        {"missing": [-1]},
        {"missing": []},
        {"extra": ["zz"]},
        {"extra": []},
        *(
            {"entries": [entry, *plan().entries[1:]]}
            for entry in (
                [],
                [2, 96, 10, 20, 1, 0, 7, -1],
                [-1, 96, 10, 20, 1, 0, 7, -1],
                [0, 87, 10, 20, 1, 0, 7, -1],
                [0, 995, 10, 20, 1, 0, 7, -1],
                [0, 96, 0, 20, 1, 0, 7, -1],
                [0, 96, 85, 20, 1, 0, 7, -1],
                [0, 96, 10, 1 << 25, 1, 0, 7, -1],
                [0, 96, 10, 20, 1, 4, 7, 1],
                [0, 96, 10, 20, 1, 1, 7, -1],
                [0, 96, 10, 20, 1, 0, 7, 1],
                [0, 96, 10, 20, 1, 1, 7, 3],
            )
        ),
    ],
)
def test_a_plan_that_cannot_be_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(BadPlan):
        read_plan(NAMES[:3], plan(**changes))


def on(chunk: PlannedChunk, base: PlannedChunk) -> PlannedChunk:
    return dataclasses.replace(chunk, base=base.name, depth=base.depth + 1)


def versions(packs: int, chunks: int) -> list[list[PlannedChunk]]:
    """A pack for each version; every chunk is coded against that at its place in the version before."""
    found: list[list[PlannedChunk]] = []
    for number in range(packs):
        plain = laid_out([10] * chunks, f"p{number}")
        named = [dataclasses.replace(c, name=ChunkId(bytes([number, at]) * 16)) for at, c in enumerate(plain)]
        found.append([on(c, b) for c, b in zip(named, found[-1], strict=True)] if found else named)
    return found


def bases_come_first(ranges: list[PackRange]) -> bool:
    """Whether every base that is fetched comes before its deltas, by range and in its range."""
    order = [chunk for found in ranges for chunk in found.chunks]
    places = {chunk.name: index for index, chunk in enumerate(order)}
    return all(places.get(chunk.base, -1) < index for index, chunk in enumerate(order) if chunk.base)


def test_each_part_of_a_file_comes_right_after_what_it_is_coded_against() -> None:
    first, second = versions(2, 6)
    ranges = ordered_ranges([*second, *first], 2 * 10 + HEADER_BYTES)
    assert [(found.chunks[0].pack, len(found.chunks)) for found in ranges] == [("p0", 2), ("p1", 2)] * 3
    assert bases_come_first(ranges)


def test_a_base_in_the_same_pack_shares_its_range() -> None:
    chunks = laid_out([10] * 4)
    mixed = [chunks[0], on(chunks[1], chunks[0]), chunks[2], on(chunks[3], chunks[2])]
    assert [found.chunks for found in ordered_ranges(mixed, 1000)] == [tuple(mixed)]


def test_a_pack_in_disorder_is_taken_in_pieces() -> None:
    chunks = laid_out([10] * 4)
    mixed = [on(chunks[0], chunks[1]), chunks[1], chunks[2], on(chunks[3], chunks[1])]
    ranges = ordered_ranges(mixed, 1000)
    assert [len(found.chunks) for found in ranges] == [2, 1, 1]
    assert bases_come_first(ranges)


def test_packs_that_need_each_other_are_taken_in_pieces() -> None:
    one, other = laid_out([10] * 2, "p"), laid_out([10] * 2, "q")
    other = [dataclasses.replace(c, name=NAMES[50 + n]) for n, c in enumerate(other)]
    chunks = [one[0], on(one[1], other[0]), other[0], on(other[1], one[0])]
    ranges = ordered_ranges(chunks, 1000)
    assert len(ranges) == 4
    assert bases_come_first(ranges)


def test_a_circle_of_bases_is_refused() -> None:
    one, other, third = laid_out([10] * 3)
    with pytest.raises(BadPlan, match="more than 3"):
        ordered_ranges([on(one, other), on(other, third), on(third, one)], 1000)


@given(st.data(), st.integers(1, 400))
def test_ordered_ranges_hold_each_chunk_once_and_bases_first(data: st.DataObject, longest: int) -> None:
    chunks: list[PlannedChunk] = []
    for number in range(data.draw(st.integers(1, 12))):
        pack = data.draw(st.sampled_from("pqr"))
        base = data.draw(st.none() | st.sampled_from(chunks)) if chunks else None
        fresh = dataclasses.replace(laid_out([10])[0], name=NAMES[number], pack=pack)
        chunks.append(on(fresh, base) if base and base.depth < 3 else fresh)
    placed: list[PlannedChunk] = []
    ends = dict.fromkeys("pqr", 8)
    for chunk in data.draw(st.permutations(chunks)):
        placed.append(dataclasses.replace(chunk, start=ends[chunk.pack] + HEADER_BYTES))
        ends[chunk.pack] += HEADER_BYTES + 10
    wanted = data.draw(st.lists(st.sampled_from(placed), unique_by=lambda chunk: chunk.name, min_size=1))
    ranges = ordered_ranges(wanted, longest)
    assert sorted(c.name for found in ranges for c in found.chunks) == sorted(c.name for c in wanted)
    assert bases_come_first(ranges)
