from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from git_lepton.format.chunking import pieces
from git_lepton.format.content_cuts import MAX_BYTES, MIN_BYTES
from git_lepton.format.elements import ELEMENTS
from git_lepton.format.layout import MAX_PIECE_BYTES
from git_lepton.format.layouts.safetensors import tensor_regions
from tests.format.sources import Dribble, header_of, with_length
from tests.properties.mutation import damaged

TENSORS = st.lists(st.tuples(st.sampled_from([*ELEMENTS, "NEW"]), st.integers(0, 300).map(lambda n: 8 * n)), max_size=5).map(
    lambda found: header_of(
        (f"t{i}", dtype, [8 * count // ELEMENTS[dtype].bits if dtype in ELEMENTS else 1], count)
        for i, (dtype, size) in enumerate(found)
        for count in [size * 6]
    )
)
FILES = st.builds(
    lambda head, data, times: head + data * times,
    TENSORS | TENSORS.flatmap(damaged) | st.binary(max_size=20),
    st.binary(min_size=1, max_size=30),
    st.integers(0, 30_000),
)
SIZES = st.lists(st.integers(1, 200_000), min_size=1, max_size=4)


@given(FILES, SIZES)
def test_pieces_are_the_file_however_it_is_read(data: bytes, sizes: list[int]) -> None:
    found = list(pieces(Dribble(data)))
    assert b"".join(piece.data for piece in found) == data
    assert list(pieces(Dribble(data, [*sizes, 4096]))) == found
    assert all(0 < len(piece.data) <= MAX_PIECE_BYTES for piece in found)


@given(st.binary(min_size=1, max_size=40), st.integers(1, 60_000), st.binary(max_size=9))
def test_lengths_of_cuts_by_content(part: bytes, times: int, end: bytes) -> None:
    data = b"\xff" * 8 + part * times + end
    lengths = [len(piece.data) for piece in pieces(Dribble(data))]
    assert all(MIN_BYTES <= length <= MAX_BYTES for length in lengths[:-1])
    assert 0 < lengths[-1] <= MAX_BYTES


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.sampled_from(["F32", "BF16"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["dtype", "shape", "data_offsets", "__metadata__", "a"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()) | TENSORS.map(lambda head: head[8:]))
def test_a_header_is_sound_or_not_and_never_an_error(text: bytes) -> None:
    check(with_length(text))


@given(TENSORS.flatmap(damaged))
def test_nor_is_a_damaged_one(header: bytes) -> None:
    check(header)


def check(header: bytes) -> None:
    found = tensor_regions(header)
    if found is not None:
        regions = list(found)
        entries = json.loads(header[8:])
        entries.pop("__metadata__", None)
        assert sum(region.length for region in regions) == max(
            (entry["data_offsets"][1] for entry in entries.values()), default=0
        )
        assert len(regions) == len(entries)
