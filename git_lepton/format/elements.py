"""Elements of tensors: the bits of one, and the words in which its bytes are coded (docs/format.md, section 3.3)."""

from __future__ import annotations

from typing import NamedTuple


class Element(NamedTuple):
    """`bits` of an element; `word`: bytes of the unit that is split into planes; `sign`: the word's top bit is a float's sign."""

    bits: int
    word: int
    sign: bool


_BYTE_SIZED = ("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E5M2FNUZ", "F8_E4M3FNUZ")

ELEMENTS: dict[str, Element] = {
    "F4": Element(4, 1, False),
    "F6_E2M3": Element(6, 1, False),
    "F6_E3M2": Element(6, 1, False),
    **{name: Element(8, 1, False) for name in _BYTE_SIZED},
    "I16": Element(16, 2, False),
    "U16": Element(16, 2, False),
    "F16": Element(16, 2, True),
    "BF16": Element(16, 2, True),
    "I32": Element(32, 4, False),
    "U32": Element(32, 4, False),
    "F32": Element(32, 4, True),
    "C64": Element(64, 4, True),  # two F32
    "I64": Element(64, 8, False),
    "U64": Element(64, 8, False),
    "F64": Element(64, 8, True),
}
BYTES = Element(8, 1, False)

# Quantized blocks of GGUF: the bytes of their fields, in order; the two bytes of a scale apart.
FIELDS: dict[str, tuple[int, ...]] = {
    "GGUF_Q4_0": (1, 1, 16),
    "GGUF_Q4_1": (1, 1, 1, 1, 16),
    "GGUF_Q5_0": (1, 1, 4, 16),
    "GGUF_Q5_1": (1, 1, 1, 1, 4, 16),
    "GGUF_Q8_0": (1, 1, 32),
    "GGUF_Q2_K": (16, 64, 1, 1, 1, 1),
    "GGUF_Q3_K": (32, 64, 12, 1, 1),
    "GGUF_Q4_K": (1, 1, 1, 1, 12, 128),
    "GGUF_Q5_K": (1, 1, 1, 1, 12, 32, 128),
    "GGUF_Q6_K": (128, 64, 16, 1, 1),
    "GGUF_MXFP4": (1, 16),
}


def element_of(name: str) -> Element:
    """The element of this dtype; for "" and for a dtype that we do not know, a byte."""
    return ELEMENTS.get(name, BYTES)
