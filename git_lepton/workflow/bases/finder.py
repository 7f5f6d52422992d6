"""The finder of a base for a piece of a new version: the same tensor in an earlier version, in its base model, or wherever it was.

A tensor is looked for by name, dtype and shape, then by name with another number of rows or in another float dtype, then, renamed,
by a sketch of its content. A base is offered only after a look at its bytes: what is no version of the piece never costs an
attempt. Nothing is opened before a piece comes by that the store lacks; what cannot be read of a base is no base.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from git_lepton.format.coding.encoded import Base
from git_lepton.format.elements import element_of
from git_lepton.format.pointer import claims_to_be_pointer, parse_pointer
from git_lepton.workflow.bases.candidates import BasePlaces
from git_lepton.workflow.bases.chain import StartAnew, link_for
from git_lepton.workflow.bases.sketch import are_comparable, are_related, distance, elements_in, pieces_are_related, sketch
from git_lepton.workflow.bases.stored_tensors import UNREADABLE, StoredObject, StoredTensor, open_stored

if TYPE_CHECKING:
    from git_lepton.format.chunking import Piece
    from git_lepton.format.identifiers import ChunkId, ObjectId
    from git_lepton.format.layout import Region
    from git_lepton.store.local_store import LocalStore
    from git_lepton.workflow.bases.sketch import Sketch

_TRIED = 4  # tensors that are compared with a piece, at most
_READ_FOR_SKETCHES = 2  # bytes of old versions for each byte that is new: finding renamed tensors never costs more than that,
_FIRST_ALLOWANCE = 64 * 1024 * 1024  # and this at first
_MOST_ALIKE = 256  # of one dtype and shape, whose sketches are looked at where none has the name


class BaseChunk(NamedTuple):
    """A stored chunk that holds an earlier version of a piece, and the dtype of its elements."""

    name: ChunkId
    element: str


class BaseFinder:
    """Bases for the files that one process adds. `places` is closed by whoever made it."""

    def __init__(self, store: LocalStore, places: BasePlaces) -> None:
        self.store = store
        self.lock = threading.RLock()
        self._places = places
        self._opened: dict[ObjectId, StoredObject | None] = {}
        self._sketches: dict[tuple[ChunkId, str, int], Sketch | None] = {}
        self._allowance = _FIRST_ALLOWANCE

    def of(self, path: str) -> Bases:
        """The bases for the file at this path, from the top of the work tree."""
        return Bases(self, path)

    def added(self, path: str, text: bytes) -> None:
        """This path holds this pointer (or no weights) now, which git does not know yet."""
        if claims_to_be_pointer(text):
            with self.lock:
                self._places.added(path, parse_pointer(text).oid)

    def groups(self, path: str) -> Iterator[list[StoredObject]]:
        """The stored objects where bases may be, the likeliest group first."""
        seen: set[ObjectId] = set()
        for group in self._places.of(path):
            fresh = [oid for oid in group if oid not in seen]
            seen.update(fresh)
            yield [opened for oid in fresh if (opened := self._open(oid))]

    def _open(self, oid: ObjectId) -> StoredObject | None:
        if oid not in self._opened:
            self._opened[oid] = open_stored(self.store, oid)
        return self._opened[oid]

    def allow(self, length: int) -> None:
        """So many more bytes are to be coded: in proportion more may be read for sketches."""
        self._allowance += _READ_FOR_SKETCHES * length

    def sketch_of(self, chunk: ChunkId, element: str, count: int) -> Sketch | None:
        """The sketch of a stored chunk's first `count` elements; None where it cannot be read, has fewer, or enough was read."""
        key = chunk, element, count
        if key not in self._sketches and self._allowance > 0:
            try:
                data = self.store.read(chunk)
            except UNREADABLE:
                self._sketches[key] = None
            else:
                self._allowance -= len(data)
                self._sketches[key] = sketch(data, element, count) if elements_in(data, element) >= count else None
        return self._sketches.get(key)


class Bases:
    """The bases for one file. Any thread may ask."""

    def __init__(self, finder: BaseFinder, path: str) -> None:
        self._finder = finder
        self._path = path
        self._groups: list[list[StoredObject]] = []
        self._more = finder.groups(path)
        self._matches: dict[Region, _Matches] = {}

    def base_for(self, piece: Piece, name: ChunkId) -> Base | None:
        """What to code this piece against, which is chunk `name` and which the store lacks; None: code it by itself."""
        try:
            for candidate in self.candidates(piece):
                link = link_for(self._finder.store, candidate.name, name)
                base = self._read(link.name, link.depth, candidate.element) if link else None
                if base and pieces_are_related(piece.data, piece.element, base.data, base.element):
                    return base
                self._turn_down(piece, candidate)
        except StartAnew:
            pass
        return None

    def _read(self, name: ChunkId, depth: int, element: str) -> Base | None:
        try:
            return Base(name, depth, self._finder.store.read(name), element)
        except UNREADABLE:
            return None

    def candidates(self, piece: Piece) -> Iterator[BaseChunk]:
        """The chunks that may hold an earlier version of a piece, best first; those that did not for its tensor are left out."""
        if not piece.region.piece:
            return
        with self._finder.lock:
            self._finder.allow(len(piece.data))
            matches = self._matches.get(piece.region)
            if matches is None:
                matches = self._matches[piece.region] = _Matches(self._find(_look_at(piece)))
        position = 0
        while position < _TRIED:
            with self._finder.lock:
                tensor = matches.at(position)
            if tensor is None:
                return
            position += 1
            chunk = tensor.chunk_at(_offset_in(tensor, piece.region, piece.offset)) if tensor not in matches.turned_down else None
            if chunk:
                yield BaseChunk(chunk, tensor.region.element)

    def _turn_down(self, piece: Piece, candidate: BaseChunk) -> None:
        """This candidate is no version of the piece: its tensor is not asked again for other pieces of the same."""
        with self._finder.lock:
            matches = self._matches[piece.region]
            for tensor in matches.found:
                if tensor.chunk_at(_offset_in(tensor, piece.region, piece.offset)) == candidate.name:
                    matches.turned_down.add(tensor)

    def _find(self, wanted: _Look) -> Iterator[StoredTensor]:
        for group in self._all_groups():
            named = [tensor for stored in group if (tensor := _of_same_name(stored, wanted.region))]
            yield from self._nearest_first(wanted, named) if group is self._groups[0] else named
        for group in self._all_groups():
            alike = [tensor for stored in group for tensor in stored.alike(wanted.region)]
            yield from self._surely_related(wanted, [tensor for tensor in alike if not _has_name(tensor, wanted.region)])

    def _all_groups(self) -> Iterator[list[StoredObject]]:
        position = 0
        while True:
            if position == len(self._groups):
                group = next(self._more, None)
                if group is None:
                    return
                self._groups.append(group)
            yield self._groups[position]
            position += 1

    def _nearest_first(self, wanted: _Look, tensors: Sequence[StoredTensor]) -> Sequence[StoredTensor]:
        """Of several parents the one that the piece is nearest to comes first; one alone is not looked at."""
        different = list({wanted.chunk_in(tensor): tensor for tensor in tensors}.values())
        if len(different) < 2:
            return different
        found = {tensor: self._sketch_of(tensor, wanted) for tensor in different}
        far = float("inf")
        return sorted(different, key=lambda t: far if (there := found[t]) is None else distance(wanted.sketch, there))

    def _surely_related(self, wanted: _Look, tensors: Sequence[StoredTensor]) -> list[StoredTensor]:
        """The tensor whose content says that it is the wanted one under another name, if there is one."""
        near = []
        for number, tensor in enumerate(tensors[:_MOST_ALIKE]):
            there = self._sketch_of(tensor, wanted)
            if there is not None and are_related(wanted.sketch, there, surely=True):
                near.append((distance(wanted.sketch, there), number))
        return [tensors[min(near)[1]]] if near else []

    def _sketch_of(self, tensor: StoredTensor, wanted: _Look) -> Sketch | None:
        chunk, element = wanted.chunk_in(tensor), tensor.region.element
        comparable = len(wanted.sketch) and are_comparable(wanted.region.element, element)
        return self._finder.sketch_of(chunk, element, wanted.elements) if chunk and comparable else None


class _Look(NamedTuple):
    """What is remembered of the first piece of a tensor that bases are asked for: its place and, of its `elements` elements, a sketch."""

    region: Region
    offset: int
    elements: int
    sketch: Sketch

    def chunk_in(self, tensor: StoredTensor) -> ChunkId | None:
        return tensor.chunk_at(_offset_in(tensor, self.region, self.offset))


def _look_at(piece: Piece) -> _Look:
    count = elements_in(piece.data, piece.element)
    return _Look(piece.region, piece.offset, count, sketch(piece.data, piece.element, count))


class _Matches:
    """Tensors that may hold an earlier version of one tensor, found as far as anybody asked."""

    def __init__(self, more: Iterator[StoredTensor]) -> None:
        self.found: list[StoredTensor] = []
        self.turned_down: set[StoredTensor] = set()
        self._more = more

    def at(self, position: int) -> StoredTensor | None:
        while len(self.found) <= position:
            tensor = next(self._more, None)
            if tensor is None:
                return None
            self.found.append(tensor)
        return self.found[position]


def _of_same_name(stored: StoredObject, region: Region) -> StoredTensor | None:
    """The tensor of this name: of the same dtype, else of another that can be compared; the rows below may be more or fewer."""
    fitting = [tensor for tensor in stored.named(region.name) if _fits(tensor.region, region)]
    return min(
        fitting, key=lambda tensor: (tensor.region.element != region.element, tensor.region.shape != region.shape), default=None
    )


def _has_name(tensor: StoredTensor, region: Region) -> bool:
    return bool(region.name) and tensor.region.name == region.name


def _fits(there: Region, here: Region) -> bool:
    same_rows = there.shape == here.shape or (bool(here.shape) and there.shape[1:] == here.shape[1:])
    if there.element == here.element:
        return same_rows and len(there.shape) == len(here.shape)
    return there.shape == here.shape and are_comparable(there.element, here.element)


def _offset_in(tensor: StoredTensor, region: Region, offset: int) -> int:
    """Where the element at this byte of a region lies in another tensor, in bytes."""
    return offset * element_of(tensor.region.element).bits // element_of(region.element).bits
