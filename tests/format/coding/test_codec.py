from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy
import pytest
import xxhash
import zstandard

from git_lepton.errors import CorruptData, WrongUse
from git_lepton.format.coding.codec import CODECS, decode, encode
from git_lepton.format.coding.encoded import (
    COLUMNS,
    DIFFERENCE,
    PLANES,
    RAW,
    RELEASED,
    ZSTD,
    EncodedChunk,
    UnknownCodec,
    WrongChunk,
)
from git_lepton.format.elements import ELEMENTS
from git_lepton.format.identifiers import ChunkId
from git_lepton.format.manifest import MAX_CHUNK_BYTES
from git_lepton.format.pack import Kind, parse_record
from tests.format.sources import noise

FLOATS = numpy.random.default_rng(1).normal(size=50_000).astype("<f4").tobytes()
TEXT = b'{"model.layers.0.weight": [1, 2, 3]}' * 100


def chunk_of(data: bytes, codec: int, payload: bytes) -> EncodedChunk:
    return EncodedChunk(ChunkId.of(data), codec, 0, None, len(data), payload, xxhash.xxh3_64_intdigest(payload))


def test_the_released_codecs() -> None:
    assert frozenset({0, 1, 2, 3, 4}) == RELEASED
    assert (RAW, ZSTD, PLANES, DIFFERENCE, COLUMNS) == (0, 1, 2, 3, 4)
    assert set(CODECS) == RELEASED - {DIFFERENCE}


@pytest.mark.parametrize(
    ("data", "element", "codec"),
    [(FLOATS, "F32", COLUMNS), (FLOATS, "", COLUMNS), (TEXT, "", ZSTD), (bytes(9000), "U8", COLUMNS), (noise(9000), "", RAW)],
)
def test_the_codec_follows_element_and_data(data: bytes, element: str, codec: int) -> None:
    chunk = encode(data, element)
    assert chunk.codec == codec
    assert decode(chunk) == data


def test_a_chunk_says_what_it_is() -> None:
    chunk = encode(FLOATS, "F32")
    assert (chunk.name, chunk.raw_length) == (ChunkId.of(FLOATS), len(FLOATS))
    assert (chunk.depth, chunk.base) == (0, None)
    assert chunk.checksum == xxhash.xxh3_64_intdigest(chunk.payload)
    record = chunk.record()
    assert (record.kind, record.stored_length) == (Kind.CHUNK, len(chunk.payload))
    assert parse_record(record.encode()) == record


def test_a_name_that_is_known_is_not_computed_again() -> None:
    name = ChunkId(bytes(32))
    assert encode(TEXT, "", name=name).name == name


@pytest.mark.parametrize("element", ["", "NEW", *ELEMENTS])
@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 9, 15, 1001, 65_537])
def test_every_dtype_and_length_comes_back_and_is_never_longer(element: str, size: int) -> None:
    for data in (noise(size), FLOATS[:size], bytes(size)):
        chunk = encode(data, element)
        assert decode(chunk) == data
        assert len(chunk.payload) <= size
        parse_record(chunk.record().encode())


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_buffer_can_be_encoded(kind: type) -> None:
    assert decode(encode(kind(FLOATS), "F32")) == FLOATS
    assert decode(encode(kind(noise(100)), "F32")) == noise(100)
    assert decode(encode(numpy.frombuffer(FLOATS, "<f4").data, "F32")) == FLOATS


@pytest.mark.parametrize(
    ("allowed", "codec"), [({0}, RAW), ({0, 1}, ZSTD), ({1}, ZSTD), ({0, 2}, PLANES), ({0, 1, 2, 99}, PLANES)]
)
def test_only_allowed_codecs_are_used(allowed: set[int], codec: int) -> None:
    chunk = encode(bytes(4000) + FLOATS, "F32", frozenset(allowed))
    assert chunk.codec == codec
    assert decode(chunk) == bytes(4000) + FLOATS


def test_a_payload_may_be_a_view() -> None:
    for element in ("", "F32"):
        chunk = encode(FLOATS, element)
        assert decode(replace(chunk, payload=memoryview(bytearray(b"xx" + bytes(chunk.payload)))[2:])) == FLOATS
    raw = chunk_of(TEXT, RAW, TEXT)
    assert decode(raw) is TEXT
    assert decode(replace(raw, payload=memoryview(TEXT))) == TEXT


@pytest.mark.parametrize("size", [0, MAX_CHUNK_BYTES + 1])
def test_a_chunk_of_another_size_is_our_bug(size: int) -> None:
    with pytest.raises(ValueError, match="1 to 16777216"):
        encode(bytes(size), "")


def test_the_largest_chunk() -> None:
    data = FLOATS * 84
    data = data[:MAX_CHUNK_BYTES]
    assert len(data) == MAX_CHUNK_BYTES
    assert decode(encode(data, "F64")) == data


def test_an_unknown_codec_is_refused_named_and_its_reader_told_to_upgrade() -> None:
    with pytest.raises(UnknownCodec, match="codec 77") as caught:
        decode(chunk_of(TEXT, 77, TEXT))
    assert isinstance(caught.value, WrongUse)
    assert "pip install" in caught.value.hint


@pytest.mark.parametrize(
    "chunk",
    [
        chunk_of(TEXT, RAW, TEXT[:-1] + b"!"),
        chunk_of(TEXT, RAW, TEXT[:-1]),
        chunk_of(TEXT, RAW, TEXT + b"!"),
        chunk_of(TEXT, ZSTD, zstandard.compress(TEXT[:-1] + b"!")),
        chunk_of(TEXT, ZSTD, zstandard.compress(TEXT + b"!")),
        chunk_of(TEXT, ZSTD, TEXT),
        chunk_of(TEXT, PLANES, TEXT),
        chunk_of(TEXT, RAW, b""),
        chunk_of(b"", RAW, b"x"),
        chunk_of(TEXT, ZSTD, zstandard.compress(bytes(2**26))),
        replace(encode(TEXT, ""), raw_length=MAX_CHUNK_BYTES + 1),
        replace(encode(TEXT, ""), name=ChunkId(bytes(32))),
        replace(encode(TEXT, ""), base=ChunkId(bytes(32)), depth=1),
    ],
)
def test_what_is_not_the_chunk_is_refused(chunk: EncodedChunk) -> None:
    with pytest.raises(WrongChunk) as caught:
        decode(chunk)
    assert isinstance(caught.value, CorruptData)
    assert str(chunk.name) in caught.value.message


def test_a_base_is_refused_where_none_is_taken() -> None:
    with pytest.raises(WrongChunk):
        decode(encode(TEXT, ""), base=TEXT)


def test_threads_do_not_disturb_each_other() -> None:
    inputs = [(FLOATS[start:], element) for start in range(0, 4000, 100) for element in ("F32", "BF16", "", "F64")]
    with ThreadPoolExecutor(8) as threads:
        chunks = list(threads.map(lambda item: encode(*item), inputs))
        results = list(threads.map(decode, chunks))
    assert results == [data for data, _ in inputs]
    assert [chunk.payload for chunk in chunks] == [encode(*item).payload for item in inputs]
