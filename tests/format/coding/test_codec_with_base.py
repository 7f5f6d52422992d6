"""Chunks coded against a base, through the door that everything goes through."""

from __future__ import annotations

from dataclasses import replace

import numpy
import pytest
import xxhash

from git_lepton.errors import CorruptData
from git_lepton.format.coding.codec import decode, element_of_chunk, encode
from git_lepton.format.coding.difference.codec import encode_difference
from git_lepton.format.coding.encoded import DIFFERENCE, RELEASED, Base, EncodedChunk, WrongChunk
from git_lepton.format.elements import ELEMENTS
from git_lepton.format.identifiers import ChunkId
from git_lepton.format.pack import MAX_DEPTH, parse_record
from tests.format.sources import noise

RANDOM = numpy.random.default_rng(2)
OLD = RANDOM.normal(scale=0.05, size=40_000).astype("<f4")
NEW = (OLD + RANDOM.normal(scale=1e-4, size=len(OLD))).astype("<f4")
BASE = Base(ChunkId.of(OLD.tobytes()), 0, OLD.tobytes(), "F32")


def test_against_a_base_a_chunk_is_smaller_and_says_so() -> None:
    chunk = encode(NEW.tobytes(), "F32", base=BASE)
    assert (chunk.codec, chunk.depth, chunk.base) == (DIFFERENCE, 1, BASE.name)
    assert (chunk.name, chunk.raw_length) == (ChunkId.of(NEW.tobytes()), NEW.nbytes)
    assert chunk.checksum == xxhash.xxh3_64_intdigest(chunk.payload)
    assert parse_record(chunk.record().encode()) == chunk.record()
    assert len(chunk.payload) < 0.75 * len(encode(NEW.tobytes(), "F32").payload)
    assert decode(chunk, OLD.tobytes()) == NEW.tobytes()
    assert decode(chunk, OLD.data) == NEW.tobytes()


@pytest.mark.parametrize("depth", range(MAX_DEPTH + 1))
def test_a_chunk_lies_one_above_its_base_and_never_too_high(depth: int) -> None:
    chunk = encode(NEW.tobytes(), "F32", base=BASE._replace(depth=depth))
    assert chunk.depth == (depth + 1 if depth < MAX_DEPTH else 0)
    assert (chunk.base is None) == (depth == MAX_DEPTH)


def test_without_leave_there_is_no_delta() -> None:
    assert encode(NEW.tobytes(), "F32", RELEASED - {DIFFERENCE}, base=BASE) == encode(NEW.tobytes(), "F32")


@pytest.mark.parametrize(
    "base",
    [
        Base(ChunkId.of(b"other"), 0, noise(160_000), "F32"),
        Base(ChunkId.of(b"zeros"), 0, bytes(160_000), "F32"),
        Base(ChunkId.of(b"bytes"), 0, OLD.tobytes(), ""),
        Base(ChunkId.of(b"doubles"), 0, OLD.astype("<f8").tobytes(), "F64"),
        Base(ChunkId.of(NEW.tobytes()), 0, NEW.tobytes(), "F32"),
    ],
)
def test_a_base_that_does_not_help_is_not_used(base: Base) -> None:
    alone = encode(NEW.tobytes(), "F32")
    chunk = encode(NEW.tobytes(), "F32", base=base)
    assert len(chunk.payload) <= len(alone.payload)
    assert chunk.base is None


@pytest.mark.parametrize("data", [bytes(160_000), b"\1\2\3\4" * 40_000])
def test_what_is_small_alone_is_coded_alone(data: bytes) -> None:
    assert encode(data, "F32", base=BASE).base is None


@pytest.mark.parametrize("element", ["", "NEW", *ELEMENTS])
@pytest.mark.parametrize("size", [1, 2, 3, 8, 9, 1001, 65_537])
def test_any_chunk_comes_back_and_is_never_longer(element: str, size: int) -> None:
    for data in (noise(size), NEW.tobytes()[:size], bytes(size)):
        for old in (noise(2 * size)[size:], OLD.tobytes()[: size + 7], bytes(size + 1)):
            chunk = encode(data, element, base=Base(ChunkId.of(old), 1, old, element))
            assert decode(chunk, old if chunk.base else None) == data
            assert len(chunk.payload) <= size


@pytest.mark.parametrize("wrong", [b"", bytes(160_000), OLD.tobytes()[:-4], OLD.tobytes()[4:], NEW.tobytes()])
def test_another_base_is_noticed_by_the_name(wrong: bytes) -> None:
    with pytest.raises(WrongChunk):
        decode(encode(NEW.tobytes(), "F32", base=BASE), wrong)


def test_a_base_that_is_missing_or_too_deep_is_refused() -> None:
    chunk = encode(NEW.tobytes(), "F32", base=BASE)
    for wrong in (replace(chunk, base=None, depth=0), replace(chunk, depth=0), replace(chunk, depth=MAX_DEPTH + 1)):
        with pytest.raises(WrongChunk):
            decode(wrong, OLD.tobytes())
    with pytest.raises(WrongChunk):
        decode(chunk)


def test_damage_is_corrupt_data_that_names_the_chunk() -> None:
    chunk = encode(NEW.tobytes(), "F32", base=BASE)
    for place in range(0, len(chunk.payload), 1009):
        payload = bytearray(chunk.payload)
        payload[place] ^= 0x55
        with pytest.raises(WrongChunk, match=str(chunk.name)):
            decode(replace(chunk, payload=bytes(payload)), OLD.tobytes())


def test_a_chunk_says_what_it_was_coded_as() -> None:
    def element(data: bytes, name: str) -> str:
        return element_of_chunk(encode(data, name))

    assert element_of_chunk(encode(NEW.tobytes(), "F32", base=BASE)) == "F32"
    payload = encode_difference(memoryview(bytes(600)), "F16", memoryview(OLD.tobytes()), "F32")
    assert payload is not None
    assert element_of_chunk(EncodedChunk(ChunkId(bytes(32)), DIFFERENCE, 1, BASE.name, 600, payload, 0)) == "F16"
    assert element(NEW.tobytes(), "F32") == "F32"
    assert element(noise(100), "") == ""
    with pytest.raises(CorruptData):
        element_of_chunk(EncodedChunk(ChunkId(bytes(32)), DIFFERENCE, 1, BASE.name, 600, b"\xff\xff", 0))
