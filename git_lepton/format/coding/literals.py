"""zstd frames of literals only: each byte coded by how frequent it is, nothing looked for that repeats.

zstd can do that (ZSTD_c_literalCompressionMode with a search that gives up at once), and is then a third faster and some 0.3 %
smaller on exponents; but python-zstandard's classes do not offer it. Its wheels hold a second, complete binding of the same
library, which needs cffi; where either is absent, `literal_writer` says so and the caller takes the classes.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

Compress = Callable[[memoryview], bytes]

_FAST, _SEARCH_GIVES_UP, _ENABLED = 1, 131_072, 1
_PARAMETERS = {
    "ZSTD_c_strategy": _FAST,
    "ZSTD_c_targetLength": _SEARCH_GIVES_UP,
    "ZSTD_c_minMatch": 7,
    "ZSTD_c_hashLog": 6,
    "ZSTD_c_windowLog": 18,
    "ZSTD_c_literalCompressionMode": _ENABLED,
}


def literal_writer() -> Compress | None:
    """A function for one thread that makes frames of literals, or None where this zstandard can't."""
    try:
        binding = import_module("zstandard._cffi")
        return _Writer(binding.ffi, binding.lib)
    except (ImportError, AttributeError, _Unable):  # built without it, no cffi, or another version's names
        return None


class _Unable(RuntimeError):
    """zstd does not take one of the parameters."""


class _Writer:
    """Compresses with one context. cffi lets other threads run while zstd works."""

    def __init__(self, ffi: Any, lib: Any) -> None:
        self._ffi, self._lib = ffi, lib
        self._context = ffi.gc(lib.ZSTD_createCCtx(), lib.ZSTD_freeCCtx)
        self._frame = bytearray()
        for name, value in _PARAMETERS.items():
            self._checked(lib.ZSTD_CCtx_setParameter(self._context, getattr(lib, name), value))
        self(memoryview(b"works"))

    def __call__(self, data: memoryview) -> bytes:
        """One frame that holds `data` (contiguous bytes) and states its size."""
        room = self._lib.ZSTD_compressBound(len(data))
        if len(self._frame) < room:
            self._frame = bytearray(room)
        with self._ffi.from_buffer(data) as source, self._ffi.from_buffer(self._frame, require_writable=True) as frame:
            size = self._checked(self._lib.ZSTD_compress2(self._context, frame, room, source, len(data)))
        return bytes(memoryview(self._frame)[:size])

    def _checked(self, result: int) -> int:
        if self._lib.ZSTD_isError(result):
            raise _Unable
        return result
