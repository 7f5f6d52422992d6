from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from git_lepton.errors import LeptonError
from git_lepton.format.identifiers import ObjectId
from git_lepton.format.pointer import Pointer, parse_pointer
from tests.properties.mutation import damaged

POINTERS = st.builds(Pointer, st.builds(ObjectId, st.binary(min_size=32, max_size=32)), st.integers(1, 2**63 - 1))


@given(POINTERS)
def test_a_pointer_is_read_as_it_was_written(pointer: Pointer) -> None:
    assert parse_pointer(pointer.encode()) == pointer


@given(st.binary(max_size=300) | POINTERS.flatmap(lambda pointer: damaged(pointer.encode())))
def test_other_bytes_raise_our_error_or_are_canonical(data: bytes) -> None:
    try:
        pointer = parse_pointer(data)
    except LeptonError:
        return
    assert pointer.encode() == data
