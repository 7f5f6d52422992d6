from __future__ import annotations

from collections.abc import Iterator

import pytest

from git_lepton.format import layout
from git_lepton.format.elements import ELEMENTS
from git_lepton.format.layout import MAX_PIECE_BYTES, REST, Ahead, Doubt, Region, piece_bytes, regions, tensor


class Bytes:
    """All of a file to look at; `taken` is the consumer's to move."""

    def __init__(self, data: bytes) -> None:
        self._data, self.taken = memoryview(data), 0

    def peek(self, count: int, /) -> memoryview:
        return self._data[self.taken :][:count]


def walked(data: bytes) -> list[Region]:
    ahead, found = Bytes(data), []
    for region in regions(ahead):
        found.append(region)
        ahead.taken += region.length
    return found


def use(monkeypatch: pytest.MonkeyPatch, *readers: layout.Reader) -> None:
    monkeypatch.setattr(layout, "_readers", lambda head: iter(readers))


def test_every_reader_of_the_table_is_there_and_sees_nothing_in_other_files() -> None:
    for form in layout._FORMATS:
        head = bytes(form.at) + form.magic
        readers = list(layout._readers(head))
        assert readers
        for read in readers:
            for data in (head, head + bytes(100), head + b"\xff" * 100):
                with pytest.raises((Doubt, StopIteration)):
                    next(read(Bytes(data)))


def test_a_file_that_no_reader_knows_is_one_region() -> None:
    assert walked(b"no model") == [REST]
    assert walked(b"") == []


def test_the_first_reader_that_yields_has_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def doubts(ahead: Ahead) -> Iterator[Region]:
        if ahead.peek(1):
            raise Doubt
        yield REST

    def nothing(ahead: Ahead) -> Iterator[Region]:
        yield from ()

    def two(ahead: Ahead) -> Iterator[Region]:
        assert bytes(ahead.peek(3)) == b"abc"
        yield Region(2)
        assert bytes(ahead.peek(9)) == b"cde"
        yield Region(1)
        raise Doubt

    use(monkeypatch, doubts, nothing, two, doubts)
    assert walked(b"abcde") == [Region(2), Region(1), REST]


def test_nothing_is_left_where_regions_fill_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, lambda ahead: iter([Region(3), Region(100)]))
    assert walked(b"abcde") == [Region(3), Region(100)]


def test_pieces_of_tensors() -> None:
    assert {name: piece_bytes(name) for name in ("F64", "F32", "BF16", "U8", "F4", "F6_E2M3", "new")} == {
        **{"F64": 2**23, "F32": 2**23, "BF16": 2**22, "U8": 2**21, "F4": 2**20, "F6_E2M3": 3 * 2**19, "new": 2**22},
    }
    for name, element in ELEMENTS.items():
        assert 0 < piece_bytes(name) <= MAX_PIECE_BYTES
        assert piece_bytes(name) * 8 % element.bits == 0
    assert tensor(8, "F32", "a", (2,)) == Region(8, "F32", 2**23, "a", (2,))
    assert tensor(7, "new") == Region(7, "", 2**22)
