"""Files of every format, damaged: never a crash, a hang, or memory beyond the file's; always the same bytes back."""

from __future__ import annotations

import time
import tracemalloc
from dataclasses import replace

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from git_lepton.errors import LeptonError
from git_lepton.format.chunking import pieces
from git_lepton.format.coding.codec import decode, encode
from git_lepton.format.coding.encoded import RELEASED, Base
from git_lepton.format.elements import ELEMENTS, FIELDS
from git_lepton.format.identifiers import ChunkId
from tests.format.sources import Dribble, noise
from tests.fuzz import targets
from tests.fuzz.seeds import PAYLOAD_HEADS, hostile, seeds

FORMS = sorted(seeds())
SLACK_BYTES = 24 * 1024 * 1024  # a few pieces and the buffers for them
SLACK_SECONDS = 5
FEW = max(1, settings().max_examples // 8)  # of what takes a store on disk


def test_the_seeds_are_sound() -> None:
    shown = {form for form in FORMS if any(piece.region.piece for piece in pieces(Dribble(seeds()[form])))}
    assert set(FORMS) - shown == {"npz compressed"}


@pytest.mark.parametrize("form", FORMS)
@given(data=st.data())
def test_a_damaged_file_is_cut_and_coded(form: str, data: st.DataObject) -> None:
    content = data.draw(hostile(form))
    tracemalloc.start()
    started = time.process_time()
    for _ in pieces(Dribble(content)):
        pass
    spent, peak = time.process_time() - started, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= 2 * len(content) + SLACK_BYTES
    assert spent <= SLACK_SECONDS
    targets.file(content)


@pytest.mark.parametrize("form", FORMS)
@given(data=st.data())
@settings(max_examples=FEW)
def test_a_damaged_file_comes_back_from_a_store(form: str, data: st.DataObject) -> None:
    targets.store(data.draw(hostile(form)))


@pytest.mark.parametrize("form", FORMS)
@given(data=st.data())
@settings(max_examples=FEW)
def test_a_damaged_file_is_coded_against_another(form: str, data: st.DataObject) -> None:
    whole = st.just(seeds()[form])
    targets.versions(data.draw(hostile(form) | whole), data.draw(hostile(form) | whole))


@given(PAYLOAD_HEADS, st.binary(max_size=300))
def test_any_payload_is_decoded_or_refused(head: bytes, body: bytes) -> None:
    targets.payload(head + body)


FLOATS = numpy.frombuffer(targets.BASE, "<f4")
DATA = {
    "F32": FLOATS * numpy.float32(1.001),
    "F16": FLOATS.astype("<f2"),
    "BF16": (FLOATS.view("<u4") >> 16).astype("<u2"),
    "I8": (FLOATS * 30).astype("i1"),
    "": FLOATS + 1,
}


@pytest.mark.parametrize("element", DATA)
@given(at=st.integers(0, 2**20), put=st.binary(min_size=1, max_size=9), gone=st.integers(0, 9), other=st.booleans())
def test_a_damaged_payload_is_refused(element: str, at: int, put: bytes, gone: int, other: bool) -> None:
    name = ChunkId.of(targets.BASE)
    chunk = encode(DATA[element].tobytes(), element, RELEASED, base=Base(name, 0, targets.BASE, "F32"))
    sound = bytes(chunk.payload)
    at %= len(sound)
    damaged = replace(chunk, payload=sound[:at] + put + sound[at + gone :])
    base = None if chunk.base is None else targets.BASE[::-1] if other else targets.BASE
    try:
        data = decode(damaged, base)
    except LeptonError:
        return
    assert ChunkId.of(data) == chunk.name


@given(st.binary(max_size=400))
def test_any_bytes_are_refused_by_the_parsers(data: bytes) -> None:
    targets.parsers(data)


@given(st.binary(max_size=200))
def test_any_records_in_a_local_pack_are_read_or_refused(recipe: bytes) -> None:
    targets.local_pack(recipe)


LIKE_NOTHING = st.sampled_from([b"\0", b"\1", b"\xff", b"\0\0\0\x3f", b"\0\x3c", bytes(34), b"\0\x3c" + bytes(32), noise(34)])
LIKE_ELEMENTS = st.sampled_from(["", *ELEMENTS, *FIELDS])


@given(
    like=LIKE_NOTHING,
    times=st.integers(1, 3000),
    more=st.binary(max_size=40),
    element=LIKE_ELEMENTS,
    base_element=LIKE_ELEMENTS,
    swapped=st.booleans(),
)
def test_constants_and_runs_of_every_dtype_come_back(
    like: bytes, times: int, more: bytes, element: str, base_element: str, swapped: bool
) -> None:
    data = more + like * times if swapped else like * times + more
    base = Base(ChunkId.of(targets.BASE), 0, targets.BASE, base_element)
    assert decode(encode(data, element)) == data
    chunk = encode(data, element, base=base)
    assert decode(chunk, targets.BASE if chunk.base else None) == data
