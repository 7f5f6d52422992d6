from __future__ import annotations

from hashlib import sha256
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from git_lepton.format.coding.codec import encode
from git_lepton.format.coding.encoded import EncodedChunk
from git_lepton.format.pack import MAX_PACK_BYTES, TRAILER_BYTES, index_bytes, parse_end
from git_lepton.transfer.packing import FIRST_BYTES, LEAST_BYTES, PackSizes, fill_packs, make_pack
from tests.transfer.weights import MIB, RAW, noise

SMALL = [encode(noise(100 + seed, seed), "", RAW) for seed in range(30)]


def whole(chunks: list[EncodedChunk]) -> bytes:
    return b"".join(make_pack(chunks).buffers)


@given(st.lists(st.sampled_from(SMALL), min_size=1, unique_by=lambda chunk: chunk.name))
def test_a_pack_is_what_the_format_says(chunks: list[EncodedChunk]) -> None:
    pack = make_pack(chunks)
    data = b"".join(pack.buffers)
    assert pack.length == len(data)
    assert pack.sha256() == sha256(data).hexdigest()
    assert pack.raw == sum(chunk.raw_length for chunk in chunks)
    name, records = parse_end(data[-index_bytes(data[-TRAILER_BYTES:]) :], len(data))
    assert str(name) == pack.name
    assert [record for _, record in records] == [chunk.record() for chunk in chunks]
    assert [data[start : start + record.stored_length] for start, record in records] == [chunk.payload for chunk in chunks]


@given(st.integers(1, 5000))
def test_packs_are_filled_up_to_their_size_and_keep_the_order(limit: int) -> None:
    waits: list[int] = []
    packs = list(fill_packs(iter(SMALL), PackSizes(limit), lambda: waits.append(1)))
    assert [chunk for pack in packs for chunk in pack.chunks] == SMALL
    assert all(pack.length <= limit or len(pack.chunks) == 1 for pack in packs)
    assert len(waits) == len(packs)
    for pack, following in pairwise(packs):
        assert make_pack([*pack.chunks, following.chunks[0]]).length > limit


def test_no_chunks_make_no_pack() -> None:
    assert list(fill_packs([], PackSizes(), lambda: None)) == []


def test_sizes_follow_the_measured_rate_to_about_twenty_seconds() -> None:
    sizes = PackSizes()
    assert sizes.next == FIRST_BYTES
    sizes.measured(8 * MIB, 0.01)
    assert sizes.next == 4 * FIRST_BYTES
    sizes.measured(32 * MIB, 0.01)
    assert sizes.next == MAX_PACK_BYTES
    sizes.measured(64 * MIB, 256.0)
    assert sizes.next == 5 * MIB
    sizes.measured(5 * MIB, 5000.0)
    assert sizes.next == LEAST_BYTES


def test_a_refused_length_is_never_tried_again() -> None:
    sizes = PackSizes()
    for seconds in (0.01, 0.01):
        sizes.measured(sizes.next, seconds)
    before = sizes.reduced
    sizes.halve(60 * MIB)
    assert (before, sizes.reduced) == (False, True)
    sizes.measured(30 * MIB, 0.01)
    assert sizes.next == 30 * MIB
    sizes.halve(30 * MIB)
    sizes.halve(60 * MIB)
    assert sizes.next == 15 * MIB


def test_the_limit_of_the_server_holds_from_the_start() -> None:
    sizes = PackSizes()
    sizes.limit(1 << 40)
    assert sizes.next == FIRST_BYTES
    sizes.limit(3 * MIB)
    assert sizes.next == 3 * MIB
