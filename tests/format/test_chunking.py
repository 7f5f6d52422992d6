from __future__ import annotations

import itertools
import time
import tracemalloc

import pytest

from git_lepton.format.chunking import Piece, _Reader, pieces
from git_lepton.format.content_cuts import MAX_BYTES
from git_lepton.format.identifiers import ChunkId
from git_lepton.format.layout import REST, Region
from tests.format.sources import Dribble, Endless, header_of, noise, with_length

MIB = 2**20


def cut(data: bytes, sizes: tuple[int, ...] = (1 << 30,)) -> list[Piece]:
    found = list(pieces(Dribble(data, sizes)))
    assert b"".join(piece.data for piece in found) == data
    assert all(len(piece.data) for piece in found)
    return found


def shape(found: list[Piece]) -> list[tuple[int, str]]:
    return [(len(piece.data), piece.element) for piece in found]


def test_an_empty_file_has_no_pieces() -> None:
    assert cut(b"") == []


@pytest.mark.parametrize("data", [b"a", b"12345678", bytes(8), b"\x02" + bytes(7) + b"{", b"{}" * 100, noise(70_000)])
def test_a_small_file_that_is_no_safetensors_is_one_piece(data: bytes) -> None:
    assert shape(cut(data)) == [(len(data), "")]


def test_tensors_are_cut_at_their_borders_and_into_pieces_of_2_to_21_elements() -> None:
    tensors = [
        ("a", "F32", [4 * MIB], 16 * MIB),
        ("b", "BF16", [2 * MIB + 2], 4 * MIB + 4),
        ("c", "F32", [3], 12),
        ("d", "I64", [0], 0),
        ("e", "U8", [3 * MIB], 3 * MIB),
        ("f", "F64", [MIB + 1], 8 * MIB + 8),
    ]
    header = header_of(tensors)
    found = cut(header + noise(sum(tensor[3] for tensor in tensors)))
    assert shape(found) == [
        (len(header), ""),
        *((8 * MIB, "F32"), (8 * MIB, "F32"), (4 * MIB, "BF16"), (4, "BF16"), (12, "F32")),
        *((2 * MIB, "U8"), (MIB, "U8"), (8 * MIB, "F64"), (8, "F64")),
    ]


def test_a_piece_says_where_it_is() -> None:
    header = header_of([("a.weight", "F32", [3, MIB], 12 * MIB), ("b", "BF16", [2], 4)])
    found = cut(header + bytes(12 * MIB + 4) + noise(2 * MIB))
    tensor = Region(12 * MIB, "F32", 8 * MIB, "a.weight", (3, MIB))
    assert [(piece.region, piece.offset) for piece in found[:4]] == [
        (Region(len(header)), 0),
        (tensor, 0),
        (tensor, 8 * MIB),
        (Region(4, "BF16", 4 * MIB, "b", (2,)), 0),
    ]
    position = 0
    for piece in found[4:]:
        assert (piece.region, piece.offset) == (REST, position)
        position += len(piece.data)


def test_pieces_of_two_dtypes_match() -> None:
    counts = []
    for dtype, size in (("F32", 4), ("BF16", 2), ("F16", 2), ("F8_E4M3", 1)):
        header = header_of([("a", dtype, [5 * MIB], 5 * MIB * size)])
        counts.append([len(piece.data) // size for piece in cut(header + bytes(5 * MIB * size))[1:]])
    assert counts == [[2 * MIB, 2 * MIB, MIB]] * 4


def test_the_header_lists_tensors_in_any_order() -> None:
    text = (
        b'{"b":{"dtype":"U8","shape":[3],"data_offsets":[2,5]},"a":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]},'
        b'"__metadata__":{"format":"pt"}}'
    )
    assert shape(cut(with_length(text) + b"abcde")) == [(8 + len(text), ""), (2, "BF16"), (3, "U8")]


def test_a_long_header_is_cut_by_content() -> None:
    names = [noise(40, seed).hex() for seed in range(12_000)]
    header = header_of([(name, "BF16", [1], 2) for name in names])
    found = cut(header + bytes(2 * len(names)))
    of_header = list(itertools.takewhile(lambda piece: not piece.element, found))
    assert sum(len(piece.data) for piece in of_header) == len(header) > MAX_BYTES
    assert len(of_header) > 2
    assert [len(piece.data) for piece in found[len(of_header) :]] == [2 * len(names)]  # small neighbours are one region


def test_bytes_after_the_last_tensor_are_cut_by_content() -> None:
    header = header_of([("a", "F32", [4], 16)])
    rest = noise(3 * 2**20)
    found = cut(header + bytes(16) + rest)
    assert shape(found)[:2] == [(len(header), ""), (16, "F32")]
    assert found[2:] == cut(rest)


def test_a_header_without_tensors_is_sound() -> None:
    assert shape(cut(with_length(b"{}") + b"rest")) == [(10, ""), (4, "")]


@pytest.mark.parametrize("kept", [0, 1, 8 * MIB - 1, 8 * MIB, 8 * MIB + 3])
def test_a_file_that_ends_early_is_cut_as_far_as_it_goes(kept: int) -> None:
    header = header_of([("a", "F32", [4 * MIB], 16 * MIB), ("b", "F32", [4 * MIB], 16 * MIB)])
    found = cut(header + bytes(kept))
    expected = [min(8 * MIB, kept), kept - min(8 * MIB, kept)]
    assert shape(found)[1:] == [(size, "F32") for size in expected if size]


def test_an_unknown_dtype_is_cut_as_a_tensor_and_coded_as_bytes() -> None:
    header = header_of([("a", "F3_NEW", [7], 4 * MIB + 5), ("b", "F32", [1], 4)])
    found = cut(header + bytes(4 * MIB + 9))
    assert shape(found)[1:] == [(4 * MIB, ""), (5, ""), (4, "F32")]
    assert found[1].region.name == "a"


def test_the_same_tensor_elsewhere_gives_the_same_chunks() -> None:
    tensor, other = noise(12 * MIB, 1), noise(300_000, 2)
    alone = cut(header_of([("a", "F32", [3 * MIB], len(tensor))]) + tensor)
    moved = cut(
        header_of([("x", "BF16", [150_000], len(other)), ("renamed", "F32", [3 * MIB], len(tensor))], {"step": "2"})
        + other
        + tensor
    )
    assert [ChunkId.of(piece.data) for piece in moved[-2:]] == [ChunkId.of(piece.data) for piece in alone[-2:]]


def test_how_the_source_hands_bytes_out_changes_nothing() -> None:
    data = header_of([("a", "F32", [300_000], 1_200_000)]) + noise(1_200_000) + noise(2_000_000, 2)
    expected = cut(data)
    assert cut(data, (65536,)) == cut(data, (1, 7, 100_000, 2, 65537)) == expected
    assert cut(b"X" + data, (4099, 300_007, 11)) == cut(b"X" + data)


def test_pieces_are_the_consumers_own() -> None:
    data = noise(10 * 2**20)
    for prefix in (b"", header_of([("a", "U8", [9 * 2**20], 9 * 2**20)])):
        kept = []
        for piece in pieces(Dribble(prefix + data)):
            kept.append((ChunkId.of(piece.data), piece))
        assert all(ChunkId.of(piece.data) == name for name, piece in kept)
        assert not any(a.data.obj is b.data.obj and a.element for (_, a), (_, b) in itertools.combinations(kept, 2))


@pytest.mark.parametrize("length", [100_000_001, 2**31, 2**60, 2**64 - 1, 0, 1])
def test_an_impossible_header_length_costs_nothing(length: int) -> None:
    source = Endless(length.to_bytes(8, "little") + b"{")
    first = next(iter(pieces(source)))
    assert first == Piece(memoryview((length.to_bytes(8, "little") + b"{").ljust(MAX_BYTES, b"\0")), REST, 0)
    assert source.given <= 4 * MAX_BYTES + 9


def test_a_long_header_that_does_not_begin_like_one_is_not_read_ahead() -> None:
    source = Endless((50_000_000).to_bytes(8, "little") + b"[")
    next(iter(pieces(source)))
    assert source.given <= 4 * MAX_BYTES + 9


def test_memory_grows_only_as_bytes_come() -> None:
    data = (99_000_000).to_bytes(8, "little") + b"{" + bytes(1000)
    tracemalloc.start()
    found = cut(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert shape(found) == [(len(data), "")]
    assert peak < 12_000_000


def test_memory_stays_bounded_on_a_long_file() -> None:
    size = 64 * 2**20
    header = header_of([("a", "F32", [size // 8], size // 2)])
    source = Endless(header)
    tracemalloc.start()
    seen = 0
    for piece in pieces(source):
        seen += len(piece.data)
        if seen > size:
            break
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 28 * MIB


def test_at_most_eight_mib_are_asked_for_at_a_time() -> None:
    source = Dribble(header_of([("a", "F32", [5 * MIB], 20 * MIB)]) + noise(12 * MIB) + bytes(20 * MIB))
    for _ in pieces(source):
        pass
    assert source.largest_request <= 8 * MIB


def test_an_error_of_the_source_is_passed_on() -> None:
    class Broken:
        def readinto(self, buffer: memoryview, /) -> int:
            raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        list(pieces(Broken()))


def test_what_was_looked_at_stays_as_it_is_and_is_taken_in_order() -> None:
    data = noise(5000)
    reader = _Reader(Dribble(data, (7, 300)))
    first = reader.peek(100)
    assert bytes(reader.peek(2000)) == data[:2000] and bytes(first) == data[:100]
    taken = memoryview(bytearray(1500))
    assert reader.fill(taken) == 1500 and bytes(taken) == data[:1500]
    assert bytes(reader.peek(10)) == data[1500:1510] and bytes(reader.peek(9000)) == data[1500:]
    rest = memoryview(bytearray(9000))
    assert reader.fill(rest) == 3500 and bytes(rest[:3500]) == data[1500:]
    assert bytes(reader.peek(1)) == b"" and reader.fill(rest) == 0


def test_looking_ahead_in_small_steps_takes_no_longer_than_in_large_ones() -> None:
    reader = _Reader(Endless(b""))
    started = time.process_time()
    for count in range(0, 8 * MIB, 300):
        assert len(reader.peek(count)) == count
    assert time.process_time() - started < 5
