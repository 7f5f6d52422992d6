from __future__ import annotations

import pytest

from git_lepton.errors import CorruptData, WrongUse
from git_lepton.format.identifiers import ObjectId
from git_lepton.format.pointer import (
    BadPointer,
    NotAPointer,
    Pointer,
    UnknownPointerVersion,
    claims_to_be_pointer,
    parse_pointer,
)

TEXT = b"version git-lepton/v1\noid sha256:" + b"0a" * 32 + b"\nsize 12345\n"


def test_the_three_lines() -> None:
    pointer = Pointer(ObjectId(b"\x0a" * 32), 12345)
    assert pointer.encode() == TEXT
    assert parse_pointer(TEXT) == pointer
    assert hash(parse_pointer(TEXT)) == hash(pointer)


@pytest.mark.parametrize("size", [1, 2**63 - 1])
def test_the_smallest_and_the_largest_size(size: int) -> None:
    pointer = Pointer(ObjectId(bytes(32)), size)
    assert parse_pointer(pointer.encode()) == pointer


@pytest.mark.parametrize("size", [0, -1, 2**63])
def test_no_other_size(size: int) -> None:
    with pytest.raises(BadPointer):
        Pointer(ObjectId(bytes(32)), size)


@pytest.mark.parametrize(
    "damaged",
    [
        TEXT[:-1],
        TEXT + b"\n",
        TEXT + b"x",
        TEXT.replace(b"\n", b"\r\n"),
        TEXT.replace(b"size 12345", b"size 012345"),
        TEXT.replace(b"size 12345", b"size +12345"),
        TEXT.replace(b"size 12345", b"size 12_345"),
        TEXT.replace(b"size 12345", b"size 0"),
        TEXT.replace(b"size 12345", b"size -1"),
        TEXT.replace(b"size 12345", b"size 9223372036854775808"),
        TEXT.replace(b"size 12345", b"size " + b"9" * 900),
        TEXT.replace(b"size 12345", b"size \xd9\xa1"),
        TEXT.replace(b"size ", b"Size "),
        TEXT.replace(b"size ", b""),
        TEXT.replace(b"0a", b"0A"),
        TEXT.replace(b"sha256", b"sha512"),
        TEXT.replace(b"oid sha256:", b"sha256:"),
        b"version git-lepton/v1",
        b" " + TEXT,
        b"\xef\xbb\xbf" + TEXT,
        TEXT.decode().encode("utf-16"),
        b"version git-lepton/v1\n",
    ],
)
def test_a_damaged_pointer_is_refused_and_says_what_to_do(damaged: bytes) -> None:
    with pytest.raises(BadPointer) as caught:
        parse_pointer(damaged)
    assert isinstance(caught.value, CorruptData)
    assert caught.value.hint


@pytest.mark.parametrize("version", [b"v2", b"v10", b"", b"v1.1", b"\xff"])
def test_an_unknown_version_is_named_and_its_reader_told_to_upgrade(version: bytes) -> None:
    with pytest.raises(UnknownPointerVersion) as caught:
        parse_pointer(TEXT.replace(b"v1", version))
    assert isinstance(caught.value, WrongUse)
    assert repr(version.decode("ascii", "replace")) in caught.value.message
    assert "pip install" in caught.value.hint


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"weights",
        b"version https://git-lfs.github.com/spec/v1\n",
        b"version git-lepton",
        TEXT + b" " * 1024,
        b" " + TEXT + b" " * 1024,
    ],
)
def test_ordinary_content_is_no_pointer(content: bytes) -> None:
    with pytest.raises(NotAPointer):
        parse_pointer(content)


def test_what_claims_to_be_a_pointer() -> None:
    assert claims_to_be_pointer(TEXT)
    assert claims_to_be_pointer(b"version git-lepton/v9")
    assert not claims_to_be_pointer(b"version git-lfs")
    assert not claims_to_be_pointer(b"")
