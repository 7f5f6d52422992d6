"""zstd frames: writers tuned for what they are given, and one strict reader.

Compressors and decompressors are not thread safe, so each thread has its own; they let other threads run while they work.
"""

from __future__ import annotations

import threading
from enum import Enum
from typing import TYPE_CHECKING

import numpy
import zstandard

from git_lepton.errors import CorruptData

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SAMPLE_BYTES = 4096
_NOISE_BITS = 7.8  # of 8, for each byte


class BadFrame(CorruptData):
    """These bytes are not the zstd frame that they should be."""


class Writer(Enum):
    """What to make of the bytes: SYMBOLS codes those in which some values are frequent, REPEATS also looks for what repeats."""

    SYMBOLS = "symbols"
    REPEATS = "repeats"


# The longest minimum match and the smallest table that zstd has all but stop it from looking for repeats: in byte planes they are
# chance and cost more than the literals that they replace. Runs are still found.
_SYMBOLS = zstandard.ZstdCompressionParameters(
    strategy=zstandard.STRATEGY_FAST, min_match=7, hash_log=6, chain_log=6, search_log=1, target_length=0, window_log=18
)


class _PerThread(threading.local):
    """One set of zstd objects for each thread."""

    def __init__(self) -> None:
        self.reader = zstandard.ZstdDecompressor()
        self.writers = {
            Writer.SYMBOLS: zstandard.ZstdCompressor(compression_params=_SYMBOLS),
            Writer.REPEATS: zstandard.ZstdCompressor(level=3),
        }


_zstd = _PerThread()


def looks_like_noise(data: NDArray[numpy.uint8]) -> bool:
    """Whether a sample spread over `data` has its values so evenly that coding each on its own would save almost nothing."""
    sample = data[:: max(1, len(data) // _SAMPLE_BYTES)]
    counts = numpy.bincount(sample)
    shares = counts[counts > 0] / len(sample)
    return bool(-(shares * numpy.log2(shares)).sum() > _NOISE_BITS)


def write_frame(data: memoryview, writer: Writer) -> bytes:
    """One frame that holds `data` and states its size."""
    return _zstd.writers[writer].compress(data)


def read_frame(frame: memoryview, length: int) -> bytes:
    """The `length` bytes in `frame`. Raises BadFrame; never makes more than `length` bytes, whatever the frame says."""
    try:
        if zstandard.frame_content_size(frame) != length:
            raise BadFrame(f"a zstd frame does not hold the {length} bytes that it should")
        return _zstd.reader.decompress(frame, max_output_size=length, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise BadFrame("a zstd frame is damaged") from error
