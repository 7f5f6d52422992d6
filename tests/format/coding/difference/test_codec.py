from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from git_lepton.errors import CorruptData
from git_lepton.format.coding.difference.codec import MAX_WORDS, decode_difference, element_of_difference, encode_difference
from git_lepton.format.coding.difference.numbers import CONVERSIONS, NUMBERS
from tests.format.coding import reference_difference
from tests.format.sources import noise

WORDS = 70_003  # more than a block, and no whole segment
PAIRS = [(name, name) for name in NUMBERS] + list(CONVERSIONS)


def weights(element: str, seed: int = 0, count: int = WORDS, step: float = 0.0) -> bytes:
    """Numbers of this dtype as a model has them; with `step`, moved by about as much."""
    values = numpy.random.default_rng(seed).normal(scale=0.05, size=count)
    values += numpy.random.default_rng(seed + 1).normal(scale=step, size=count) if step else 0.0
    if element == "BF16":
        return bytes((values.astype("<f4").view("<u4") >> 16).astype("<u2"))
    size = NUMBERS[element].word
    if NUMBERS[element].width and size > 1:
        return values.astype(f"<f{size}").tobytes()
    return (values * 400).astype(f"<i{size}").tobytes()


def there_and_back(data: bytes, element: str, base: bytes, base_element: str) -> bytes:
    """The payload, when it gave the data back."""
    payload = encode_difference(memoryview(data), element, memoryview(base), base_element)
    assert payload is not None
    assert decode_difference(memoryview(payload), len(data), memoryview(base)) == data
    assert element_of_difference(memoryview(payload)) == element
    return payload


@pytest.mark.parametrize(("base_element", "element"), PAIRS)
@pytest.mark.parametrize("cut", [0, 1, 3, 5])
def test_every_dtype_and_length_comes_back(base_element: str, element: str, cut: int) -> None:
    data = weights(element, step=0.001)
    there_and_back(data[: len(data) - cut], element, weights(base_element), base_element)


@pytest.mark.parametrize(("base_element", "element"), PAIRS)
@pytest.mark.parametrize("count", [1, 2, 127, 128, 129, 5000])
def test_small_chunks_come_back(base_element: str, element: str, count: int) -> None:
    there_and_back(weights(element, count=count, step=0.001), element, weights(base_element, count=count), base_element)


@pytest.mark.parametrize("element", ["BF16", "F32", "I8"])
@pytest.mark.parametrize("count", [0, 1, 500, 65_536, WORDS - 384, WORDS + 384])
def test_a_base_may_be_shorter_or_longer(element: str, count: int) -> None:
    there_and_back(weights(element, step=0.001), element, weights(element, count=count), element)


def test_a_base_may_end_within_a_word() -> None:
    there_and_back(weights("F32"), "F32", weights("F32", step=0.1)[:-3], "F32")


@pytest.mark.parametrize("element", NUMBERS)
def test_any_bits_come_back(element: str) -> None:
    there_and_back(noise(100_001), element, noise(200_002)[100_001:], element)
    there_and_back(noise(100_001), element, bytes(100_001), element)
    there_and_back(bytes(100_001), element, noise(100_001), element)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_chunk_comes_back_from_any_base(data: st.DataObject) -> None:
    base_element, element = data.draw(st.sampled_from(PAIRS))
    some = st.one_of(st.binary(max_size=600), st.builds(bytes, st.integers(0, 40_000)), st.builds(noise, st.integers(0, 40_000)))
    base, target = data.draw(some), data.draw(some)
    if len(target) >= NUMBERS[element].word:
        there_and_back(target, element, base, base_element)


@pytest.mark.parametrize(
    ("element", "most"), [("BF16", 0.15), ("F16", 0.30), ("F32", 0.57), ("F64", 0.80), ("I8", 0.06), ("I32", 0.06)]
)
def test_a_small_step_costs_little(element: str, most: float) -> None:
    data = weights(element, step=0.0001)
    assert len(there_and_back(data, element, weights(element), element)) < most * len(data)


def test_rows_that_did_not_change_cost_next_to_nothing() -> None:
    base = weights("BF16", count=384_000)
    data = bytearray(base)
    data[2 * 384 * 100 : 2 * 384 * 101] = weights("BF16", seed=7, count=384)
    assert len(there_and_back(bytes(data), "BF16", base, "BF16")) < 1200  # of 768,000; that row alone has 768


def test_an_appended_row_costs_a_row() -> None:
    base, row = weights("BF16", count=384_000), weights("BF16", seed=7, count=384)
    assert len(there_and_back(base + row, "BF16", base, "BF16")) < 1200


@pytest.mark.parametrize("element", ["BF16", "F16"])
def test_an_export_to_half_the_width_costs_nothing(element: str) -> None:
    base = weights("F32")
    rounded = CONVERSIONS["F32", element](numpy.frombuffer(base, "<u4")).tobytes()
    assert len(there_and_back(rounded, element, base, "F32")) < 100


def test_the_way_back_costs_the_lost_bits() -> None:
    data = weights("F32")
    base = CONVERSIONS["F32", "BF16"](numpy.frombuffer(data, "<u4")).tobytes()
    assert len(there_and_back(data, "F32", base, "BF16")) < 0.54 * len(data)


def test_rows_that_moved_by_other_amounts_are_told_apart() -> None:
    steps = numpy.repeat(10.0 ** -numpy.random.default_rng(3).uniform(2, 5, size=1000), 384)
    old = numpy.frombuffer(weights("F32", count=384_000), "<f4")
    new = (old + steps * numpy.random.default_rng(4).normal(size=len(old))).astype("<f4")
    shuffled = numpy.random.default_rng(5).permutation(len(old))
    apart = len(there_and_back(new.tobytes(), "F32", old.tobytes(), "F32"))
    mixed = len(there_and_back(new[shuffled].tobytes(), "F32", old[shuffled].tobytes(), "F32"))
    assert apart < 0.97 * mixed


@pytest.mark.parametrize(
    ("element", "base_element"), [("", ""), ("BF16", "F64"), ("F64", "F32"), ("I8", "U8"), ("NEW", "NEW"), ("BF16", "")]
)
def test_what_cannot_be_compared_is_not(element: str, base_element: str) -> None:
    assert encode_difference(memoryview(bytes(800)), element, memoryview(bytes(800)), base_element) is None


@pytest.mark.parametrize(("element", "size"), [("F32", 3), ("F64", 7), ("I8", MAX_WORDS + 1)])
def test_no_words_and_too_many_are_not_coded(element: str, size: int) -> None:
    assert encode_difference(memoryview(bytes(size)), element, memoryview(bytes(size)), element) is None


def test_no_words_and_too_many_are_not_decoded() -> None:
    payload = there_and_back(weights("I8"), "I8", weights("I8"), "I8")
    for length in (0, MAX_WORDS + 1, 1 << 24):
        with pytest.raises(CorruptData):
            decode_difference(memoryview(payload), length, memoryview(b""))


@pytest.mark.parametrize("element", ["BF16", "F32"])
def test_a_damaged_payload_raises_or_gives_other_bytes(element: str) -> None:
    count = 3000
    data, base = weights(element, count=count, step=0.001), weights(element, count=count)
    payload = there_and_back(data, element, base, element)
    random = numpy.random.default_rng(6)
    raised = 0
    for place in [*range(200), *random.integers(0, len(payload), 200).tolist()]:
        damaged = bytearray(payload)
        damaged[place] ^= 1 << int(random.integers(8))
        try:
            assert len(decode_difference(memoryview(damaged), len(data), memoryview(base))) == len(data)
        except CorruptData:
            raised += 1
    assert raised > 20
    for size in range(0, len(payload), 97):
        with pytest.raises(CorruptData):
            decode_difference(memoryview(payload[:size]), len(data), memoryview(base))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(PAIRS), st.binary(max_size=300), st.integers(1, 5000), st.binary(max_size=300))
def test_any_payload_raises_corrupt_data_or_gives_so_many_bytes(
    pair: tuple[str, str], payload: bytes, length: int, base: bytes
) -> None:
    head = bytes([NUMBERS[pair[1]].code, NUMBERS[pair[0]].code])
    with suppress(CorruptData):
        assert len(decode_difference(memoryview(head + payload), length, memoryview(base))) == length


@pytest.mark.parametrize("head", [b"", b"\x01", b"\0\0", b"\x01\x04", b"\xff\xff"])
def test_an_unknown_dtype_is_refused(head: bytes) -> None:
    with pytest.raises(CorruptData):
        element_of_difference(memoryview(head))


def test_threads_do_not_disturb_each_other() -> None:
    base = weights("BF16")
    targets = [weights("BF16", step=0.0001 * step) for step in range(1, 9)]
    with ThreadPoolExecutor(4) as threads:
        payloads = list(threads.map(lambda data: there_and_back(data, "BF16", base, "BF16"), targets * 3))
    assert payloads[:8] == payloads[8:16] == payloads[16:]


@pytest.mark.parametrize(("base_element", "element"), PAIRS)
def test_the_document_says_the_same(base_element: str, element: str) -> None:
    data, base = weights(element, count=9001, step=0.001) + b"!", bytearray(weights(base_element, count=8000))
    base[3000:5000] = noise(2000)  # every kind of exponent, infinities and numbers that are none
    payload = there_and_back(data, element, bytes(base), base_element)
    assert reference_difference.decode(payload, len(data), bytes(base)) == data


@pytest.mark.parametrize("step", [0.00002, 0.0001, 0.001])
def test_the_document_says_the_same_of_many_blocks_and_every_stream(step: float) -> None:
    base = weights("BF16", count=140_000)
    data = bytearray(weights("BF16", count=140_000, step=step))
    data[100_000:130_000] = base[100_000:130_000]
    payload = there_and_back(bytes(data), "BF16", base, "BF16")
    assert reference_difference.decode(payload, len(data), base) == bytes(data)
