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

    Buffer = bytes | bytearray | memoryview | NDArray[numpy.uint8]


class BadFrame(CorruptData):
    """These bytes are not the zstd frame that they should be."""


class Writer(Enum):
    """What to make of the bytes: SYMBOLS codes those in which some values are frequent, REPEATS also looks for what repeats."""

    SYMBOLS = "symbols"
    REPEATS = "repeats"


# The longest match and the smallest table that zstd has all but stop it from looking for repeats: in byte planes they are chance and
# cost more than the literals that they replace. Runs are still found.
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


def write_frame(data: Buffer, writer: Writer) -> bytes:
    """One frame that holds `data` and states its size."""
    return _zstd.writers[writer].compress(data)


def read_frame(frame: Buffer, length: int) -> bytes:
    """The `length` bytes in `frame`. Raises BadFrame; never makes more than `length` bytes, whatever the frame says."""
    try:
        if zstandard.frame_content_size(frame) != length:
            raise BadFrame(f"a zstd frame does not hold the {length} bytes that it should")
        return _zstd.reader.decompress(frame, max_output_size=length, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise BadFrame("a zstd frame is damaged") from error
