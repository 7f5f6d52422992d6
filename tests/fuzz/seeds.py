"""Small sound files of every format, and strategies that damage them where it hurts: in lengths, counts, offsets and borders."""

from __future__ import annotations

import io
import struct
from functools import cache
from pathlib import Path

import numpy
from hypothesis import strategies as st

from tests.format.sources import noise
from tests.support.containers import Weights, gguf, hdf5, npy, npz, onnx, stored
from tests.support.tiny_models import safetensors

_CORPUS = Path(__file__).parent / "corpus" / "file"
_WEIGHTS = {
    "a.weight": Weights("F32", (16, 24), noise(1536)),
    "b.weight": Weights("F16", (32, 40), noise(2560, 2)),
    "c.bias": Weights("I64", (5,), noise(40, 3)),
}
_ARRAYS = {name: numpy.frombuffer(weights.data, numpy.uint8) for name, weights in _WEIGHTS.items()}


@cache
def seeds() -> dict[str, bytes]:
    """Format -> a file of it. Those of other programs lie in the corpus."""
    old = io.BytesIO()
    numpy.lib.format.write_array(old, numpy.asfortranarray(_ARRAYS["a.weight"].reshape(2, -1)), (2, 0))
    plain = {name: weights for name, weights in _WEIGHTS.items() if weights.dtype != "I64"}
    made = {
        "safetensors": safetensors({name: (w.dtype, list(w.shape), w.data) for name, w in _WEIGHTS.items()}, {"format": "pt"}),
        "gguf": gguf({**plain, "q": Weights("Q8_0", (2, 64), noise(136))}, {"tokens": ["a", "bc"], "general.alignment": 64}),
        "npy": npy(_ARRAYS["a.weight"].view("<f4")),
        "npy 2": old.getvalue(),
        "npz": npz(_ARRAYS),
        "npz compressed": npz(_ARRAYS, compressed=True),
        "keras": stored({"metadata.json": b"{}", "config.json": b"{}" * 99, "model.weights.h5": hdf5(_WEIGHTS.values())}),
        "hdf5": hdf5(plain.values(), headers_first=True),
        "onnx": onnx(_WEIGHTS, {"constant": _WEIGHTS["a.weight"]}),
        "onnx packed": onnx(_WEIGHTS, packed=True),
        "onnx late": onnx(_WEIGHTS, info_first=False),
    }
    return made | {path.name: path.read_bytes() for path in sorted(_CORPUS.glob("seed-*"))}


_NUMBERS = st.sampled_from(
    [0, 1, 2, 7, 8, 31, 32, 127, 128, 255, 256, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1]
) | st.integers(0, 2**64 - 1)
_LARGE = st.sampled_from([2**63 - 1, 2**63, 2**64 - 1, 2**40, 2**62])


@st.composite
def _step(draw: st.DrawFn, data: bytes) -> bytes:
    """One change to `data`, most often in its first part, where headers are."""
    size = len(data)
    if not size:
        return bytes(draw(st.binary(max_size=9)))
    at = draw(st.integers(0, size - 1) | st.integers(0, min(size - 1, 400)) | st.integers(max(0, size - 300), size - 1))
    match draw(st.integers(0, 5)):
        case 0:  # a number
            width, order = draw(st.sampled_from([1, 2, 4, 8])), draw(st.sampled_from(["little", "little", "big"]))
            number: int = draw(_NUMBERS | _LARGE) % 256**width
            return data[:at] + number.to_bytes(width, "little" if order == "little" else "big") + data[at + width :]
        case 1:  # a run taken out
            return data[:at] + data[at + draw(st.sampled_from([1, 2, 4, 8, 32, 200])) :]
        case 2:  # a run said twice
            return data[: at + draw(st.sampled_from([1, 8, 30, 200]))] + data[at:]
        case 3:  # the end cut off
            return data[:at]
        case 4:  # what comes elsewhere, here
            other = draw(st.sampled_from(sorted(seeds())))
            start = draw(st.integers(0, len(seeds()[other]) - 1))
            return data[:at] + seeds()[other][start : start + draw(st.sampled_from([1, 8, 64, 5000]))] + data[at:]
        case _:  # a byte
            return data[:at] + draw(st.binary(min_size=1, max_size=2)) + data[at + 1 :]


@st.composite
def hostile(draw: st.DrawFn, form: str) -> bytes:
    """The file of this format, changed in one to four places, perhaps with much data after it."""
    data = seeds()[form]
    for _ in range(draw(st.sampled_from([1, 1, 2, 4]))):
        data = draw(_step(data))
    return data + draw(st.sampled_from([b"", b"", bytes(200_000), noise(200_000, 5)]))


PAYLOAD_HEADS = st.builds(
    lambda codec, length, element, base: struct.pack("<BI", codec, length)[:4] + bytes([element, base]),
    st.integers(0, 5),
    st.integers(0, 3000) | st.sampled_from([2**24, 2**24 - 1]),
    st.integers(0, 9),
    st.integers(0, 1),
)
