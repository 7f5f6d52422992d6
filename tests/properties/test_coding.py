from __future__ import annotations

from dataclasses import replace

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from git_lepton.errors import CorruptData, LeptonError
from git_lepton.format.coding.codec import decode, encode
from git_lepton.format.coding.encoded import RELEASED, EncodedChunk
from git_lepton.format.coding.planes import decode_planes
from git_lepton.format.elements import ELEMENTS
from git_lepton.format.identifiers import ChunkId
from git_lepton.format.manifest import MAX_CHUNK_BYTES
from git_lepton.format.pack import parse_record
from tests.properties.mutation import damaged

ELEMENT_NAMES = st.sampled_from(["", "NEW", *ELEMENTS])
REPEATED = st.builds(lambda data, times: data * times, st.binary(min_size=1, max_size=9), st.integers(1, 200))
FLOATS = st.builds(
    lambda seed, size: numpy.random.default_rng(seed).normal(size=300).astype("<f4").tobytes()[:size],
    st.integers(0, 9),
    st.integers(1, 1200),
)
DATA = st.binary(min_size=1, max_size=200) | REPEATED | FLOATS


@given(DATA, ELEMENT_NAMES, st.sets(st.integers(0, 4)).map(frozenset))
def test_what_goes_in_comes_out(data: bytes, element: str, allowed: frozenset[int]) -> None:
    chunk = encode(data, element, allowed)
    assert decode(chunk) == data
    assert chunk.codec in allowed | {0}
    assert len(chunk.payload) <= len(data)
    assert parse_record(chunk.record().encode()) == chunk.record()


@st.composite
def damaged_chunks(draw: st.DrawFn) -> EncodedChunk:
    chunk = encode(draw(DATA), draw(ELEMENT_NAMES))
    return replace(chunk, payload=draw(damaged(bytes(chunk.payload))))


@given(damaged_chunks())
def test_a_damaged_payload_gives_the_chunk_or_our_error(chunk: EncodedChunk) -> None:
    try:
        data = decode(chunk)
    except CorruptData:
        return
    assert ChunkId.of(data) == chunk.name


@pytest.mark.parametrize("codec", sorted(RELEASED))
@given(payload=st.binary(max_size=100), length=st.integers(0, 200) | st.sampled_from([2**24, 2**24 + 1, 2**32]))
def test_any_payload_raises_our_error_only(codec: int, payload: bytes, length: int) -> None:
    with pytest.raises(LeptonError):
        decode(EncodedChunk(ChunkId(bytes(32)), codec, 0, None, length, payload, 0))


@given(DATA.flatmap(lambda data: damaged(bytes(encode(data * 3, "F32").payload))), st.integers(1, MAX_CHUNK_BYTES))
def test_planes_give_the_length_they_were_asked_for_or_our_error(payload: bytes, length: int) -> None:
    try:
        data = decode_planes(memoryview(payload), length)
    except CorruptData:
        return
    assert len(data) == length
