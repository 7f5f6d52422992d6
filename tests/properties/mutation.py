"""Byte strings that were damaged on the way."""

from __future__ import annotations

from hypothesis import strategies as st


@st.composite
def damaged(draw: st.DrawFn, sound: bytes) -> bytes:
    """`sound` with a byte changed, some cut out, some put in, or the end cut off: another byte string, most often close to it."""
    at = draw(st.integers(0, len(sound) - 1))
    gone = draw(st.sampled_from([0, 1, 1, 1, 2, 8, 40, len(sound)]))
    put = draw(st.binary(max_size=2) | st.binary(min_size=gone, max_size=gone) if gone < 50 else st.binary(max_size=2))
    result = sound[:at] + put + sound[at + gone :]
    return result if result != sound else sound[:-1]
