"""Which records and columns a chunk is seen as: from its dtype, or, where nobody knows that, from a sample of its bytes."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy

from git_lepton.format.coding.samples import entropies, entropy, looks_like_noise, sample, shares
from git_lepton.format.coding.words import SIZES, UNSIGNED, split_columns
from git_lepton.format.elements import ELEMENTS, FIELDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[numpy.uint8]
    Words = NDArray[numpy.unsignedinteger[Any]]

_PERIOD = 8  # bytes after which any word begins anew
_ENOUGH_TO_GUESS = 16 * 1024
_RUNS = 16
_LOWER = 0.97  # the share of a byte's own entropy that its place in a word must bring it under
_SIGN_BITS = 0.05  # that much fewer, for the two upper bytes, when the sign is moved
_LARGEST_COLUMN = 4


class Form(NamedTuple):
    """`record`: bytes of a record, after the first `phase` bytes. `fields`: their widths, () where a record is one word."""

    record: int
    phase: int
    sign: bool
    fields: tuple[int, ...] = ()


def form_of(data: memoryview, element: str) -> Form | None:
    """How to see `data`, elements of this dtype ("": not known); None where they are best seen as plain bytes."""
    if element in FIELDS:
        fields = FIELDS[element]
        return Form(sum(fields), 0, False, fields)
    if element in ELEMENTS:
        return Form(ELEMENTS[element].word, 0, ELEMENTS[element].sign)
    return _guess(data) if len(data) >= _ENOUGH_TO_GUESS else None


def _guess(data: memoryview) -> Form | None:
    """Words, where a byte's place in its word says much of it: its exponent is in few places, text's letters in all."""
    counts = _counts(numpy.frombuffer(data, numpy.uint8))
    found = Form(1, 0, False)
    least = _LOWER * float(entropies(counts.sum(axis=0, keepdims=True))[0])
    for size in SIZES:
        bits = entropies(counts.reshape(-1, size, 256).sum(axis=0))
        if bits.mean() < least:
            found = Form(size, (int(bits.argmin()) + 1) % size, False)
            least = _LOWER * float(bits.mean())
    return found._replace(sign=_is_float(data, found)) if found.record > 1 else None


def _counts(values: Bytes) -> NDArray[numpy.intp]:
    """How often each value is seen in each of 8 places, in samples from all over the data; shape (8, 256)."""
    rows = values[: len(values) // _PERIOD * _PERIOD].reshape(-1, _PERIOD)
    run = _ENOUGH_TO_GUESS // _PERIOD // _RUNS
    gap = (len(rows) - run) // (_RUNS - 1)
    seen = numpy.concatenate([rows[gap * number : gap * number + run] for number in range(_RUNS)])
    numbered = seen + numpy.arange(0, 256 * _PERIOD, 256)
    return numpy.bincount(numbered.reshape(-1), minlength=256 * _PERIOD).reshape(_PERIOD, 256)


def _is_float(data: memoryview, form: Form) -> bool:
    """Whether the two upper bytes take fewer bits when the top bit is seen as a sign."""
    values = sample(words_of(data, form))
    plain, moved = (
        sum(entropy(shares(column)) for column in split_columns(values, (1,) * form.record, sign=sign)[-2:])
        for sign in (False, True)
    )
    return moved + _SIGN_BITS < plain


def words_of(data: memoryview, form: Form) -> Words:
    """The whole words in `data`, from the form's phase on."""
    count = (len(data) - form.phase) // form.record
    return numpy.frombuffer(data, UNSIGNED[form.record], max(0, count), min(form.phase, len(data)))


class Cut(NamedTuple):
    """Neighbouring bytes of a word that are alike: how many, and whether they look like noise."""

    width: int
    noise: bool


def cuts_of(values: Words, *, sign: bool) -> list[Cut]:
    """Where to cut words into columns, from a sample of them: what will be kept alike stays together."""
    kinds = [_kind(column) for column in split_columns(values, (1,) * values.itemsize, sign=sign)]
    if not sign:
        return _together(kinds)
    apart = [Cut(1, kind == "noise") for kind in kinds[-2:]]
    return (_together([*kinds[:-2], "", ""])[:-2] if len(kinds) > 2 else []) + apart


def _kind(column: Bytes) -> str:
    if bool((column == column[0]).all()):
        return "constant"
    return "noise" if looks_like_noise(column) else ""


def _together(kinds: list[str]) -> list[Cut]:
    alike = all(one == other != "" for one, other in pairwise(kinds))
    if len(kinds) == 1 or (alike and len(kinds) <= _LARGEST_COLUMN):
        return [Cut(len(kinds), kinds[0] == "noise")]
    half = len(kinds) // 2
    return _together(kinds[:half]) + _together(kinds[half:])
