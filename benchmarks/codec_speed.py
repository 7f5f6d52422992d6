"""Speed of codecs on one core: git-lepton's, zipnn's, and the stand-in's."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks import float_planes
from benchmarks.codec_clock import Clock, Speed
from git_lepton.format.chunking import Piece, pieces
from git_lepton.format.coding.codec import decode, encode
from git_lepton.format.coding.encoded import Base, EncodedChunk
from git_lepton.format.identifiers import ChunkId


def cut(path: Path) -> Sequence[Piece]:
    """The file's pieces."""
    return list(pieces(io.BytesIO(path.read_bytes())))


def ours(second: Path, first: Path | None = None) -> Speed:
    """The codec's door, chunk after chunk; against the same piece of the same tensor of `first`, where that is not the same chunk.

    Names are known to the encoder, as they are to whoever adds; the decoder checks each, as it always does."""
    bases = {(piece.region.name, piece.offset): _base(piece) for piece in cut(first) if piece.region.name} if first else {}
    work = [(piece, ChunkId.of(piece.data), bases.get((piece.region.name, piece.offset))) for piece in cut(second)]
    work = [(piece, name, base) for piece, name, base in work if not first or (base and base.name != name)]
    raw_bytes = {base.name: bytes(base.data) for base in bases.values()}

    def code(_: object) -> list[EncodedChunk]:
        return [encode(piece.data, piece.element, name=name, base=base) for piece, name, base in work]

    def restore(chunks: list[EncodedChunk]) -> None:
        for chunk in chunks:
            decode(chunk, raw_bytes[chunk.base] if chunk.base else None)

    raw = sum(len(piece.data) for piece, _, _ in work)
    return Clock(raw).speed(code, restore, lambda chunks: sum(len(chunk.payload) for chunk in chunks))


def _base(piece: Piece) -> Base:
    return Base(ChunkId.of(piece.data), 0, bytes(piece.data), piece.element)


def zipnn(path: Path) -> tuple[Speed, Speed]:
    """zipnn's, for input that it may overwrite and for input that must stay; in a process of its own, as it is for whoever uses it, since
    git-lepton changes how a process keeps its freed memory."""
    command = [sys.executable, "-m", "benchmarks.zipnn_peer", str(path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1]).stdout
    given_away, kept = json.loads(said)
    return Speed(*given_away), Speed(*kept)


def xor_planes(second: np.ndarray, first: np.ndarray | None = None, level: int = 1) -> Speed:
    """The stand-in's planes and zstd in blocks of 4 MiB, XOR included where there is a base."""
    step = (4 << 20) // second.itemsize
    blocks = range(0, len(second), step)

    def code(_: object) -> list[Sequence[bytes]]:
        return [float_planes.coded(_difference(second, first, at, step), level) for at in blocks]

    def restore(coded: list[Sequence[bytes]]) -> None:
        for at, frames in zip(blocks, coded, strict=True):
            restored = float_planes.restored(frames, second.dtype)
            if first is not None:
                np.bitwise_xor(restored, first[at : at + step])

    return Clock(second.nbytes).speed(code, restore, lambda coded: sum(len(frame) for frames in coded for frame in frames))


def _difference(second: np.ndarray, first: np.ndarray | None, at: int, step: int) -> np.ndarray:
    return second[at : at + step] if first is None else second[at : at + step] ^ first[at : at + step]
