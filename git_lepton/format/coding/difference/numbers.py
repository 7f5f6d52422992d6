"""The numbers of which differences are taken: a base's words made words of the target's dtype, differences, exponents.

All of it is integer arithmetic, so that every machine finds the same (docs/format.md, section 3.4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy

from git_lepton.format.elements import element_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[numpy.uint8]
    Words = NDArray[numpy.unsignedinteger[Any]]


class Number(NamedTuple):
    """`code`: its number in payloads; `word`: bytes; the exponent field's lowest bit and its width in bits (0: an integer)."""

    code: int
    word: int
    low: int
    width: int


def _number(code: int, name: str, low: int = 0, width: int = 0) -> tuple[str, Number]:
    return name, Number(code, element_of(name).word, low, width)


_BLOCKS = ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "MXFP4")
NUMBERS: dict[str, Number] = dict(
    (
        _number(1, "BF16", 7, 8),
        _number(2, "F16", 10, 5),
        _number(3, "F32", 23, 8),
        _number(4, "F64", 52, 11),
        _number(5, "C64", 23, 8),
        _number(6, "F8_E4M3", 3, 4),
        _number(7, "F8_E5M2", 2, 5),
        _number(8, "F8_E4M3FNUZ", 3, 4),
        _number(9, "F8_E5M2FNUZ", 2, 5),
        _number(10, "I8"),
        _number(11, "U8"),
        _number(12, "I16"),
        _number(13, "U16"),
        _number(14, "I32"),
        _number(15, "U32"),
        _number(16, "I64"),
        _number(17, "U64"),
        _number(18, "BOOL"),
        _number(19, "F8_E8M0"),
        _number(20, "F4"),
        _number(21, "F6_E2M3"),
        _number(22, "F6_E3M2"),
        *(_number(code, f"GGUF_{kind}") for code, kind in enumerate(_BLOCKS, 32)),
    )
)
NAMES: dict[int, str] = {number.code: name for name, number in NUMBERS.items()}
_FIRST_OF_F64 = 896  # of its exponents, this one and the 255 after it are told apart
_INTEGER_EXPONENT = 64
UNSIGNED: dict[int, numpy.dtype[Any]] = {size: numpy.dtype(f"<u{size}") for size in (1, 2, 4, 8)}
_SIGNED: dict[int, numpy.dtype[Any]] = {size: numpy.dtype(f"<i{size}") for size in (1, 2, 4, 8)}


def _to_bf16(words: Words) -> Words:
    """F32 rounded to nearest, ties to even; a NaN keeps its upper bits and is made quiet."""
    odd = (words >> 16) & 1
    rounded = (words + 0x7FFF + odd) >> 16
    nan = (words & 0x7FFFFFFF) > 0x7F800000
    result: Words = numpy.where(nan, (words >> 16) | 0x40, rounded).astype("<u2")
    return result


def _to_f16(words: Words) -> Words:
    """F32 rounded to nearest, ties to even; a NaN keeps its upper bits and is made quiet."""
    size = words & 0x7FFFFFFF
    result: Words = numpy.minimum(((size - 0x38000000) + 0x0FFF + ((size >> 13) & 1)) >> 13, 0x7C00)
    small = numpy.flatnonzero(size < 0x38800000)  # below the smallest normal number, 2^-14
    shift = numpy.minimum(126 - (size[small] >> 23), 25)
    digits = (size[small] & 0x7FFFFF) | 0x800000
    result[small] = (digits + (numpy.uint32(1) << (shift - 1)) - 1 + ((digits >> shift) & 1)) >> shift
    nan = numpy.flatnonzero(size > 0x7F800000)
    result[nan] = 0x7E00 | ((size[nan] >> 13) & 0x3FF)
    result |= (words >> 16) & 0x8000
    return result.astype(UNSIGNED[2])


def _from_bf16(words: Words) -> Words:
    result: Words = words.astype("<u4")
    result <<= 16
    return result


def _from_f16(words: Words) -> Words:
    """Every F16 is an F32; a NaN keeps its bits."""
    size = (words & 0x7FFF).astype("<u4")
    result: Words = (size << 13) + numpy.where(size >= 0x7C00, 0x70000000, 0x38000000).astype("<u4")
    small = numpy.flatnonzero(size < 0x0400)  # subnormal: so many 2^-24
    result[small] = (size[small].astype("<f4") * numpy.float32(2.0**-24)).view("<u4")
    result |= (words & 0x8000).astype("<u4") << 16
    return result


def _bf16_to_f16(words: Words) -> Words:
    return _to_f16(_from_bf16(words))


def _f16_to_bf16(words: Words) -> Words:
    return _to_bf16(_from_f16(words))


CONVERSIONS = {
    ("F32", "BF16"): _to_bf16,
    ("F32", "F16"): _to_f16,
    ("BF16", "F32"): _from_bf16,
    ("F16", "F32"): _from_f16,
    ("BF16", "F16"): _bf16_to_f16,
    ("F16", "BF16"): _f16_to_bf16,
}


def comparable(base: str, target: str) -> bool:
    """Whether a chunk of dtype `target` can be coded against one of dtype `base`."""
    return target in NUMBERS and (base == target or (base, target) in CONVERSIONS)


def base_words(data: memoryview, base: str, target: str, count: int) -> Words:
    """The first `count` words of a base chunk as words of the target's dtype; zeros follow where it has fewer."""
    size = NUMBERS[base].word
    words: Words = numpy.frombuffer(data, UNSIGNED[size], min(count, len(data) // size))
    if base != target:
        words = CONVERSIONS[base, target](words)
    if len(words) < count:
        words = numpy.concatenate([words, numpy.zeros(count - len(words), words.dtype)])
    return words


def differences(target: Words, base: Words, out: Words) -> None:
    """Fill `out` with target minus base, zig-zag: 0, -1, 1, -2 become 0, 1, 2, 3."""
    numpy.subtract(target, base, out=out)
    sign = out.view(_SIGNED[out.itemsize]) >> (8 * out.itemsize - 1)
    out <<= 1
    out ^= sign.view(out.dtype)


def apply_differences(changes: Words, base: Words) -> Words:
    """The words that `differences` was told as target. Uses up `changes`."""
    sign = changes & 1
    numpy.negative(sign, out=sign)
    changes >>= 1
    changes ^= sign
    changes += base
    return changes


def exponents(words: Words, number: Number) -> Bytes:
    """The exponent of each word in a byte; 64 for integers."""
    if not number.width:
        return numpy.full(len(words), _INTEGER_EXPONENT, numpy.uint8)
    field = words >> number.low if number.low else words
    if number.width < 8:
        field = field & ((1 << number.width) - 1)
    elif number.width > 8:
        field = numpy.clip(field & ((1 << number.width) - 1), _FIRST_OF_F64, _FIRST_OF_F64 + 255) - _FIRST_OF_F64
    return field.astype(numpy.uint8)
