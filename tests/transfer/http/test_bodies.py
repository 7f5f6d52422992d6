from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from git_lepton.transfer.http.bodies import SLICE_BYTES, Counted, Stream, body_length
from git_lepton.transfer.http.retries import Transient


@given(st.lists(st.integers(0, 3 * SLICE_BYTES), max_size=4), st.booleans())
def test_slices_are_the_body_and_are_counted(lengths: list[int], undo: bool) -> None:
    body = [bytes([index]) * length for index, length in enumerate(lengths)]
    told: list[int] = []
    counted = Counted(told.append)
    slices = list(counted.slices(body))
    assert b"".join(slices) == b"".join(body)
    assert all(0 < len(piece) <= SLICE_BYTES for piece in slices)
    assert sum(told) == body_length(body)
    if undo:
        counted.undo()
        assert sum(told) == 0


@given(st.binary(min_size=1, max_size=50), st.lists(st.integers(1, 20), min_size=1))
def test_a_stream_gives_exactly_what_is_asked_for(data: bytes, pieces: list[int]) -> None:
    position = 0

    def some(count: int) -> bytes:
        nonlocal position
        part = data[position : position + min(count, 3)]
        position += len(part)
        return part

    stream, read = Stream(some, len(data)), 0
    for count in pieces:
        if read + count > len(data):
            with pytest.raises(Transient):
                stream.read(count)
            return
        assert stream.read(count) == data[read : read + count]
        read += count
