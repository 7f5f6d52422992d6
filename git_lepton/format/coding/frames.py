"""zstd frames: writers tuned for what they are given, and one strict reader.

A frame states its content size, has no dictionary and no checksum. Compressors and decompressors are not thread safe, so
each thread has its own; all of them let other threads run while they work.
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

    Buffer = bytes | bytearray | memoryview | NDArray[numpy.uint8]

_SAMPLE = 4096  # bytes looked at to tell whether coding pays


class BadFrame(CorruptData):
    """These bytes are not the zstd frame that they should be."""


class Writer(Enum):
    """How to look for what repeats: SYMBOLS codes what has no repeats but frequent values, REPEATS all else."""

    SYMBOLS = "symbols"
    REPEATS = "repeats"


class _PerThread(threading.local):
    """One set of zstd objects for each thread."""

    def __init__(self) -> None:
        self.reader = zstandard.ZstdDecompressor()
        self.writers = {
            # Found by measurement: the longest match length and the smallest table that zstd has all but stop it from looking for
            # repeats, which in byte planes are chance and cost more than the literals that they replace.
            Writer.SYMBOLS: zstandard.ZstdCompressor(
                compression_params=zstandard.ZstdCompressionParameters(
                    strategy=zstandard.STRATEGY_FAST, min_match=7, hash_log=6, chain_log=6, search_log=1, target_length=0, window_log=18
                )
            ),
            Writer.REPEATS: zstandard.ZstdCompressor(level=3),
        }


_zstd = _PerThread()


def entropy(data: NDArray[numpy.uint8]) -> float:
    """About how many bits a byte of `data` needs if each is coded on its own (0 to 8), from a sample spread over it."""
    sample = data[:: max(1, len(data) // _SAMPLE)]
    counts = numpy.bincount(sample)
    shares = counts[counts > 0] / len(sample)
    return float(-(shares * numpy.log2(shares)).sum())


def write_frame(data: Buffer, writer: Writer) -> bytes:
    """One frame that holds `data`."""
    return _zstd.writers[writer].compress(data)


def read_frame(frame: Buffer, length: int) -> bytes:
    """The `length` bytes in `frame`. Raises BadFrame; never makes more than `length` bytes, whatever the frame says."""
    try:
        if zstandard.frame_content_size(frame) != length:
            raise BadFrame(f"a zstd frame does not hold the {length} bytes that it should")
        return _zstd.reader.decompress(frame, max_output_size=length, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise BadFrame("a zstd frame is damaged") from error
