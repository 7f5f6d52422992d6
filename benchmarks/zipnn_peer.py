"""zipnn on one thread, for arrays of 16 and 32 bit floats.

`python -m benchmarks.zipnn_peer FILE` prints its speeds in and out and its bytes for the tensors of a safetensors file, as JSON.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import data
from benchmarks.codec_clock import Clock, Speed
from benchmarks.float_planes import whole

_DTYPES = {2: "bfloat16", 4: "float32"}


def coder(itemsize: int) -> Any:
    """A ZipNN for floats of so many bytes."""
    return importlib.import_module("zipnn").ZipNN(input_format="byte", bytearray_dtype=_DTYPES[itemsize], threads=1)


def size(array: np.ndarray) -> int:
    """The bytes that zipnn makes of an array; widths it does not know count in full."""
    return len(coder(array.itemsize).compress(bytearray(array.tobytes()))) if array.itemsize in _DTYPES else array.nbytes


def speeds(array: np.ndarray) -> tuple[Speed, Speed]:
    """All tensors at once. It writes into what it compresses, so each run gets a copy: made before the clock starts, then while it runs."""
    zipnn, raw = coder(array.itemsize), array.tobytes()
    given_away = Clock(len(raw), lambda: bytearray(raw)).speed(zipnn.compress, zipnn.decompress, len)
    kept = Clock(len(raw)).speed(lambda _: zipnn.compress(bytearray(raw)), zipnn.decompress, len)
    return given_away, kept


def main() -> None:
    print(json.dumps(speeds(np.concatenate([whole(array) for array in data.tensors(Path(sys.argv[1])).values()]))))


if __name__ == "__main__":
    main()
