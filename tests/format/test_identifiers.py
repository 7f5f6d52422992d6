from __future__ import annotations

import pytest

from git_lepton.format.identifiers import BadIdentifier, ChunkId, ObjectId, PackId

EMPTY_BLAKE3 = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"


def test_a_chunk_is_named_by_its_blake3() -> None:
    assert ChunkId.of(b"") == ChunkId.parse_hex(EMPTY_BLAKE3)
    assert ChunkId.of(memoryview(b"ab")) == ChunkId.of(bytearray(b"ab")) != ChunkId.of(b"ba")


def test_an_oid_is_written_with_its_kind() -> None:
    text = "sha256:" + "0f" * 32
    assert str(ObjectId.parse(text)) == text
    assert ObjectId.parse(text).hex == "0f" * 32


def test_names_of_different_kinds_are_never_equal() -> None:
    raw = bytes(range(32))
    assert len({ObjectId(raw), ChunkId(raw), PackId(raw)}) == 3
    assert ObjectId(raw) != raw


def test_names_sort_by_their_bytes() -> None:
    names = [ChunkId(bytes([value]) * 32) for value in (3, 1, 2)]
    assert [name.raw[0] for name in sorted(names)] == [1, 2, 3]


def test_a_name_does_not_change_with_the_buffer_it_came_from() -> None:
    buffer = bytearray(32)
    name = ChunkId(bytes(buffer))
    assert ChunkId(buffer) == name  # type: ignore[arg-type]
    buffer[0] = 1
    assert name == ChunkId(bytes(32))


@pytest.mark.parametrize("raw", [b"", bytes(31), bytes(33)])
def test_other_lengths_are_refused(raw: bytes) -> None:
    with pytest.raises(BadIdentifier):
        PackId(raw)


@pytest.mark.parametrize("text", ["", "0" * 63, "0" * 65, "0F" * 32, "０" * 64, "0x" + "0" * 62, " " + "0" * 63])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(BadIdentifier):
        ChunkId.parse_hex(text)


@pytest.mark.parametrize("text", ["0f" * 32, "sha1:" + "0f" * 32, "SHA256:" + "0f" * 32, "sha256:" + "0F" * 32, "sha256"])
def test_an_oid_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(BadIdentifier):
        ObjectId.parse(text)
