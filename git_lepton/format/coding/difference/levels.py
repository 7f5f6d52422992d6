"""The level of each segment: how large its differences are, so that a class says what to expect of a word.

Which levels are chosen is the writer's affair: any give the right bytes back, good ones few of them. Where all of a tensor moved
alike one level serves best; rows of an embedding were moved as often as their word was met.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy

from git_lepton.format.coding.difference.groups import SEGMENT, UNCHANGED, blocks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[numpy.uint8]
    Words = NDArray[numpy.unsignedinteger[Any]]

_LARGEST = 18  # log2 of the difference that a word of class 0 may be expected to have, zig-zag
_TOLERANCE = 4.0  # octaves from the middle that are taken for chance


def levels_of(changes: Words, exponents: Bytes) -> Bytes:
    """The level of each segment. Shapes: (segments, SEGMENT) twice, (segments)."""
    sizes = numpy.empty(len(changes), numpy.float32)
    for part in blocks(len(changes)):
        sizes[part] = _sizes(changes[part], exponents[part])
    changed = sizes > 0
    levels = numpy.full(len(changes), UNCHANGED, numpy.uint8)
    if changed.any():
        levels[changed] = _levels(sizes[changed])
    return levels


def _sizes(changes: Words, exponents: Bytes) -> NDArray[numpy.float32]:
    """The sum of each segment's differences, in the unit of its words: 2 to the exponent, less 127. More than 0 where there are any."""
    units = numpy.clip(exponents, 1, 254).astype(numpy.uint32)
    units <<= 23
    found = changes.astype(numpy.float32)
    with numpy.errstate(over="ignore"):
        sums: NDArray[numpy.float32] = numpy.einsum("ij,ij->i", found, units.view(numpy.float32))
    return sums


def _levels(sizes: NDArray[numpy.float32]) -> Bytes:
    octaves = numpy.log2(numpy.minimum(sizes, numpy.finfo(numpy.float32).max))
    middle = float(numpy.median(octaves))
    octaves[numpy.abs(octaves - middle) < _TOLERANCE] = middle
    octaves += 127 - _LARGEST - numpy.log2(SEGMENT)
    return numpy.clip(numpy.round(octaves), 0, UNCHANGED - 1).astype(numpy.uint8)
