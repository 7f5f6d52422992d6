"""Tells from a few hundred elements whether two pieces of tensors are versions of each other, whatever their names and dtypes.

A sketch holds the elements at evenly spaced positions as ordered integers: of a float its sign, exponent and first mantissa
bits, so that near values are near integers. Two pieces are related when they lie nearer to each other, position by position, than
they would if one of them were shuffled.

Whoever keeps a file loads this; numpy only who has a piece that is new.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from git_lepton.format.elements import element_of

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Sketch = NDArray[numpy.int64]
    Bytes = bytes | bytearray | memoryview

ELEMENTS = 512  # in a sketch, at most
_ALIKE_BITS = 1.0  # a difference below which nothing else has to be asked
_GAIN_BITS = 1.0  # by which a base must be nearer than chance, else the difference is no smaller than the piece itself
_SURE_GAIN_BITS = 3.0  # and where nothing but the sketch speaks for it
_SURE_SHARE = 0.5
_FLOATS = ("BF16", "F16", "F32", "F64")


def are_comparable(element: str, other: str) -> bool:
    """Whether sketches of these dtypes may be compared: of one dtype, or of floats of different widths."""
    return element == other or (element in _FLOATS and other in _FLOATS)


def elements_in(data: Bytes, element: str) -> int:
    """How many elements (words, where several share a byte) these bytes hold."""
    return len(data) // max(1, element_of(element).bits // 8)


def sketch(data: Bytes, element: str, count: int) -> Sketch:
    """The sketch of the first `count` elements of a piece, which has at least as many."""
    import numpy

    words = numpy.frombuffer(data, _word(element), count)
    positions = numpy.arange(min(count, ELEMENTS)) * count // min(count, ELEMENTS) if count else numpy.arange(0)
    return _ordered(words[positions], element)


def distance(one: Sketch, other: Sketch) -> float:
    """About how many bits the difference of two elements takes."""
    import numpy

    return float(numpy.log2(1.0 + numpy.abs(one - other)).mean()) if len(one) else 0.0


def are_related(one: Sketch, other: Sketch, *, surely: bool = False) -> bool:
    """Whether two pieces are versions of each other; `surely`: nothing else, no name and no place, says so."""
    import numpy

    near = distance(one, other)
    chance = distance(one, numpy.roll(other, max(1, len(other) // 3)))
    if surely:
        return near <= chance - _SURE_GAIN_BITS and near <= _SURE_SHARE * chance
    return near <= _ALIKE_BITS or near <= chance - _GAIN_BITS


def pieces_are_related(data: Bytes, element: str, other: Bytes, other_element: str) -> bool:
    """Whether a piece and another that begins at the same element of the same tensor are near enough for a difference to pay."""
    if not are_comparable(element, other_element):
        return False
    count = min(elements_in(data, element), elements_in(other, other_element))
    return count > 0 and are_related(sketch(data, element, count), sketch(other, other_element, count))


def _word(element: str) -> str:
    kind = {"BF16": "<u2", "F16": "<f2", "F32": "<f4", "F64": "<f8", "C64": "<u8", "I8": "i1"}
    signed_bytes = "i1" if element.startswith("GGUF_") else None  # most of a block is small numbers about zero
    return kind.get(element) or signed_bytes or f"<u{max(1, element_of(element).bits // 8)}"


def _ordered(words: NDArray[numpy.generic], element: str) -> Sketch:
    import numpy

    if element not in _FLOATS:
        return words.astype(numpy.uint64).view(numpy.int64) >> (32 if words.dtype.itemsize == 8 else 0)
    with numpy.errstate(over="ignore", invalid="ignore"):
        top = words if element == "BF16" else words.astype("<f4").view("<u4") >> numpy.uint32(16)
    values = top.astype(numpy.int64)
    return numpy.where(values & 0x8000, -(values & 0x7FFF), values)
