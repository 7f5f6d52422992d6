"""Words put together whose differences are about as large, by what both sides know (docs/format.md, section 3.4).

A word's class is the exponent of its base less the level of its segment: it says how many units in the last place the word may be
expected to differ by. Grouping is a stable sort by class, in blocks that fit the processor's cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[numpy.uint8]
    Places = NDArray[numpy.intp]

SEGMENT = 128  # words
BLOCK = 512  # segments that are sorted together
CLASSES = 32
UNCHANGED = 255  # the level of a segment without a difference
_LAST_CLASS = numpy.full(SEGMENT, CLASSES - 1, numpy.uint8)  # the minimum with one number takes five times as long
_LATER_CLASSES = numpy.arange(1, CLASSES, dtype=numpy.uint8)


def blocks(segments: int) -> Iterator[slice]:
    """So many segments, in blocks."""
    for start in range(0, segments, BLOCK):
        yield slice(start, min(start + BLOCK, segments))


def classes(exponents: Bytes, levels: Bytes) -> Bytes:
    """The class of each word of segments with these levels. Shapes: (segments, SEGMENT), (segments), (segments * SEGMENT)."""
    lowest = levels[:, None]
    found = numpy.maximum(exponents, lowest)
    found -= lowest
    return numpy.minimum(found, _LAST_CLASS, out=found).reshape(-1)


def order(classes: Bytes) -> tuple[Places, list[int]]:
    """The places of a block's words ordered by class, stably, and where in this order each class begins and the last ends."""
    places = numpy.argsort(classes, kind="stable")
    edges = classes.take(places, mode="clip").searchsorted(_LATER_CLASSES)
    return places, [0, *edges.tolist(), len(places)]
