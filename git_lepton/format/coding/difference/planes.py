"""The bytes of differences, plane by plane, each group of words in a stream of its own (docs/format.md, section 3.4)."""

from __future__ import annotations

from math import log2
from typing import TYPE_CHECKING, Any

import numpy

from git_lepton.format.coding.difference.groups import CLASSES, SEGMENT, blocks, classes, order
from git_lepton.format.coding.difference.streams import BadDifference, StreamReader, write_stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[numpy.uint8]
    Words = NDArray[numpy.unsignedinteger[Any]]

_WHOLE = 255  # instead of a number of groups
_GROUP_WORDS = 4096  # a group has at least so many (a frame has a table of its symbols),
_GROUP_PART = 64  # and at least this part of all words (a stream takes its time)
_NOISE_SAMPLE = 8192
_NOISE_BITS = 7.955  # of 8 in such a sample, in which noise has 7.978


class _Sorted:
    """A plane's bytes, block by block in the order of their classes; `classes`: how many of these, from the lowest, have other than 0."""

    def __init__(self, plane: int, words: int) -> None:
        self.plane = plane
        self.classes = 0
        self.values = numpy.empty(words, numpy.uint8)

    def add(self, start: int, words: Words, classes: Bytes, places: NDArray[numpy.intp], edges: list[int]) -> None:
        """A block that begins with word `start`. In the upper planes only small weights have bytes: they are in the lower classes."""
        used = CLASSES
        if self.plane:
            large = words >= 1 << (8 * self.plane)
            used = int((classes * large).max()) + 1 if large.any() else 0
        self.classes = max(self.classes, used)
        stop = edges[used]
        out = self.values[start : start + len(words)]
        numpy.take(_plane(words, self.plane), places[:stop], out=out[:stop], mode="clip")
        out[stop:] = 0


def write_planes(changes: Words, exponents: Bytes, levels: Bytes) -> bytes:
    """Differences of at least one segment. Shapes: (segments, SEGMENT) twice, (segments)."""
    flat = changes.reshape(-1)
    grouped = [_Sorted(plane, flat.size) if _is_worth_grouping(flat, plane) else None for plane in range(flat.itemsize)]
    edges = []
    for part in blocks(len(levels)):
        start, found = part.start * SEGMENT, classes(exponents[part], levels[part])
        places, inside = order(found)
        edges.append([start + edge for edge in inside])
        for plane in filter(None, grouped):
            plane.add(start, flat[start : start + len(places)], found, places, inside)
    groups = _groups(edges)
    parts = [bytes([len(groups), *groups])]
    for index, sorted_plane in enumerate(grouped):
        parts += (
            _write_plane(sorted_plane, edges, groups) if sorted_plane else [bytes([_WHOLE]), write_stream(_plane(flat, index))]
        )
    return b"".join(parts)


def _plane(words: Words, plane: int) -> Bytes:
    return (words >> (8 * plane) if plane else words).astype(numpy.uint8)


def _is_worth_grouping(words: Words, plane: int) -> bool:
    sample = _plane(words[:: max(1, len(words) // _NOISE_SAMPLE)], plane)
    counts = numpy.bincount(sample)
    counts = counts[counts > 0]
    entropy = log2(len(sample)) - float(counts @ numpy.log2(counts)) / len(sample)
    return entropy <= _NOISE_BITS


def _groups(edges: list[list[int]]) -> list[int]:
    """The class after the last of each group: so many classes that it has enough words."""
    groups: list[int] = []
    held, least = 0, max(_GROUP_WORDS, edges[-1][-1] // _GROUP_PART)
    for index in range(CLASSES):
        held += sum(inside[index + 1] - inside[index] for inside in edges)
        if held >= least:
            groups.append(index + 1)
            held = 0
    return [*groups[:-1], CLASSES]


def _write_plane(plane: _Sorted, edges: list[list[int]], groups: list[int]) -> list[bytes]:
    used = sum(first < plane.classes for first in [0, *groups[:-1]])
    parts = [bytes([used])]
    for first, last in zip([0, *groups], groups[:used], strict=False):
        parts.append(write_stream(numpy.concatenate([plane.values[inside[first] : inside[last]] for inside in edges])))
    return parts


class PlaneReader:
    """Reads the differences of `segments` segments, block by block. Raises BadDifference or BadFrame."""

    def __init__(self, reader: StreamReader, segments: int, word: numpy.dtype[Any]) -> None:
        self._word = word
        self._groups = self._read_groups(reader)
        self._taken = [0] * len(self._groups)  # words of each group in the blocks before
        self._planes = [self._read_plane(reader, segments * SEGMENT) for _ in range(word.itemsize)]

    @staticmethod
    def _read_groups(reader: StreamReader) -> list[int]:
        groups = list(reader.take(reader.take(1)[0]))
        if not groups or groups[0] == 0 or groups[-1] != CLASSES or groups != sorted(set(groups)):
            raise BadDifference("a difference has groups that are none")
        return groups

    def _read_plane(self, reader: StreamReader, words: int) -> Bytes | list[Bytes]:
        """The values of all words, or those of the groups that have any."""
        used = reader.take(1)[0]
        if used == _WHOLE:
            return reader.stream(words)
        if used > len(self._groups):
            raise BadDifference("a difference has a plane with groups that are none")
        streams: list[Bytes] = []
        for _ in range(used):
            streams.append(reader.stream(most=words))
            words -= len(streams[-1])
        return streams

    def block(self, part: slice, exponents: Bytes, levels: Bytes) -> Words:
        """The differences of these segments, which follow those asked for before."""
        changes = numpy.zeros(len(levels) * SEGMENT, self._word)
        places, edges = order(classes(exponents, levels))
        ends = [edges[last] for last in (0, *self._groups)]
        for index, plane in enumerate(self._planes):
            lane = changes.view(numpy.uint8)[index :: self._word.itemsize]
            if isinstance(plane, list):
                self._fill(lane, plane, places, ends)
            else:
                lane[:] = plane[part.start * SEGMENT : part.stop * SEGMENT]
        self._taken = [taken + ends[group + 1] - ends[group] for group, taken in enumerate(self._taken)]
        return changes

    def _fill(self, lane: Bytes, streams: list[Bytes], places: NDArray[numpy.intp], ends: list[int]) -> None:
        if streams:
            parts = [
                stream[taken : taken + end - start]
                for stream, taken, start, end in zip(streams, self._taken, ends, ends[1:], strict=False)
            ]
            values = numpy.concatenate(parts)
            if len(values) != ends[len(streams)]:
                raise BadDifference("a difference has groups that do not add up")
            lane[places[: len(values)]] = values
