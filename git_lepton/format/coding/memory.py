"""Keeps freed chunk buffers in the process instead of giving each back to the system and asking for it again.

Every chunk takes and frees buffers of some MiB. glibc maps and unmaps such blocks one by one, and each first touch of a page
costs a fault: seen on a virtual machine, 0.35 GB/s for fresh pages against 5.4 GB/s for known ones, so that cutting a file ran at
0.26 instead of 1.05 GB/s. Resident memory stays below what was in use at once, plus what `_KEPT_BYTES` allows.
"""

from __future__ import annotations

import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h of glibc
_KEPT_BYTES = 256 * 1024 * 1024
_FROM_THE_HEAP_BYTES = 32 * 1024 * 1024
_ARENAS = 2  # buffers freed by one thread serve the others


def reuse_freed_memory() -> None:
    """For a process that moves chunks: call once, at its start. Does nothing where the C library is not glibc."""
    if sys.platform != "linux":
        return
    import ctypes

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _FROM_THE_HEAP_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
        mallopt(_M_ARENA_MAX, _ARENAS)
