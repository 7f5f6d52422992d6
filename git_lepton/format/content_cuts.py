"""Cuts by content: where bytes say so themselves, so that an insertion moves few cuts (docs/format.md, section 2.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

MIN_BYTES = 64 * 1024
MAX_BYTES = 1024 * 1024
WINDOW_BYTES = 8
MULTIPLIER = 0xD6E8FEB86659FD93
THRESHOLD = 2**64 - 2**47  # one window in 131,072 reaches it
_BLOCK_BYTES = 128 * 1024  # searched at a time, so that it stays in the processor's cache


class Cutter:
    """Finds cuts, one thread at a time: it has scratch memory."""

    def __init__(self) -> None:
        import numpy  # most files have no region that is long enough for a cut

        self._multiplier, self._threshold = numpy.uint64(MULTIPLIER), numpy.uint64(THRESHOLD)
        self._hashes = numpy.empty(_BLOCK_BYTES // WINDOW_BYTES, numpy.uint64)
        self._hits = numpy.empty(_BLOCK_BYTES // WINDOW_BYTES, numpy.bool_)

    def first(self, data: NDArray[numpy.uint8]) -> int:
        """The length of the first chunk of `data`, which goes on to the region's end or for at least MAX_BYTES."""
        stop = min(len(data), MAX_BYTES)
        for start in range(MIN_BYTES - WINDOW_BYTES, stop - WINDOW_BYTES + 1, _BLOCK_BYTES):
            found = self._first_window(data[start : min(start + _BLOCK_BYTES + WINDOW_BYTES - 1, stop)])
            if found is not None:
                return start + found + WINDOW_BYTES
        return stop

    def _first_window(self, data: NDArray[numpy.uint8]) -> int | None:
        """Where the first window begins that ends a chunk. Windows begin at every byte: those of each phase are one array."""
        import numpy

        found = None
        for phase in range(min(WINDOW_BYTES, len(data) - WINDOW_BYTES + 1)):
            count = (len(data) - phase) // WINDOW_BYTES
            windows = data[phase : phase + count * WINDOW_BYTES].view("<u8")
            hashes, hits = self._hashes[:count], self._hits[:count]
            numpy.greater_equal(numpy.multiply(windows, self._multiplier, out=hashes), self._threshold, out=hits)
            first = int(hits.argmax())
            if hits[first]:
                position = first * WINDOW_BYTES + phase
                found = position if found is None else min(found, position)
        return found
