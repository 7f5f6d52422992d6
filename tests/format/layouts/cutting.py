"""What the tests of all readers ask of a file: its tensors, and the names of its chunks."""

from __future__ import annotations

from git_lepton.format.chunking import Piece, pieces
from git_lepton.format.identifiers import ChunkId
from git_lepton.format.layout import Region
from tests.format.sources import Dribble


def cut(data: bytes) -> list[Piece]:
    """The pieces of a file, which are its bytes and the same however they are read."""
    found = list(pieces(Dribble(data)))
    assert b"".join(piece.data for piece in found) == data
    again = list(pieces(Dribble(data, (70_001, 3, 1 << 20))))
    assert [(bytes(piece.data), piece.region) for piece in again] == [(bytes(piece.data), piece.region) for piece in found]
    return found


def tensors(data: bytes) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    """The tensors that the file's layout shows: name -> (element, shape, bytes)."""
    found: dict[str, tuple[str, tuple[int, ...], bytes]] = {}
    for piece in cut(data):
        if piece.region.piece:
            region = piece.region
            before = found[region.name][2] if piece.offset else b""
            found[region.name] = (region.element, region.shape, before + bytes(piece.data))
    return found


def regions_of(data: bytes) -> list[Region]:
    return [piece.region for piece in cut(data) if piece.offset == 0]


def names(data: bytes) -> list[ChunkId]:
    return [ChunkId.of(piece.data) for piece in cut(data)]


def tensor_names(data: bytes) -> set[ChunkId]:
    """The names of the chunks that hold tensors."""
    return {ChunkId.of(piece.data) for piece in cut(data) if piece.region.piece}
