"""zstd frames: writers tuned for what they are given, and one strict reader.

Compressors and decompressors are not thread safe, so each thread has its own; they let other threads run while they work.
"""

from __future__ import annotations

import threading
from enum import Enum
from functools import cached_property

import numpy
import zstandard

from git_lepton.errors import CorruptData
from git_lepton.format.coding.literals import Compress, literal_writer
from git_lepton.format.coding.samples import looks_repetitive

_WORTH_A_LOOK = 16 * 1024  # bytes
_TRIAL_BYTES = 64 * 1024
_CLEARLY = 0.97


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
    """One set of zstd objects for each thread, made when they are first needed."""

    def __init__(self) -> None:
        self.reader = zstandard.ZstdDecompressor()
        self.writers = {
            Writer.SYMBOLS: zstandard.ZstdCompressor(compression_params=_SYMBOLS),
            Writer.REPEATS: zstandard.ZstdCompressor(level=3),
        }

    @cached_property
    def literals(self) -> Compress | None:
        return literal_writer()


_zstd = _PerThread()


def write_frame(data: memoryview, writer: Writer) -> bytes:
    """One frame that holds `data` and states its size."""
    if writer is Writer.SYMBOLS and len(data) >= _WORTH_A_LOOK and not looks_repetitive(numpy.frombuffer(data, numpy.uint8)):
        literals = _zstd.literals
        if literals is not None:
            return literals(data)
    return _zstd.writers[writer].compress(data)


def smaller_writer(data: memoryview) -> Writer:
    """REPEATS if that makes a clearly smaller frame of some 64 KiB from the middle of `data`, else the faster SYMBOLS."""
    start = max(0, (len(data) - _TRIAL_BYTES) // 2)
    part = data[start : start + _TRIAL_BYTES]
    clearly = len(write_frame(part, Writer.REPEATS)) < _CLEARLY * len(write_frame(part, Writer.SYMBOLS))
    return Writer.REPEATS if clearly else Writer.SYMBOLS


def read_frame(frame: memoryview, length: int) -> bytes:
    """The `length` bytes in `frame`. Raises BadFrame; never makes more than `length` bytes, whatever the frame says."""
    try:
        if zstandard.frame_content_size(frame) != length:
            raise BadFrame(f"a zstd frame does not hold the {length} bytes that it should")
        return _zstd.reader.decompress(frame, max_output_size=length, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise BadFrame("a zstd frame is damaged") from error
