from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from git_lepton.format.identifiers import ChunkId
from git_lepton.format.pack import HEADER_BYTES
from git_lepton.transfer.ranges import BadPlan, PlannedChunk, cut_ranges, read_plan
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
