"""Codec 4: a chunk as records, sorted into columns, each coded for itself (docs/format.md, section 3.5).

What looks alike in every record stands together: exponents, the bytes of mantissas, the scales of quantized blocks. In a column of
exponents few values are frequent, so it codes well; mantissas are noise, and are kept as they are and in as few columns as
possible. Where many words are zero, those are left out and a map says where they were.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy

from git_lepton.format.coding.columns.form import Cut, Form, cuts_of, form_of, words_of
from git_lepton.format.coding.columns.layout import BadColumns, Column, Kept, Layout, parse_layout
from git_lepton.format.coding.frames import Writer, read_frame, smaller_writer, write_frame
from git_lepton.format.coding.samples import looks_like_noise, sample
from git_lepton.format.coding.words import UNSIGNED, merge_columns, split_columns
from git_lepton.format.elements import ELEMENTS, FIELDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[numpy.uint8]
    Words = NDArray[numpy.unsignedinteger[Any]]

_MANY_ZEROS = 0.25
_CLEARLY = 0.95
_TRIAL_BYTES = 64 * 1024
_BLOCK_RECORDS = 256 * 1024
_WORTH_A_LOOK = 4096  # bytes; for fewer, a look costs more than it saves


def encode_columns(data: memoryview, element: str) -> bytes | None:
    """The payload for `data`, or None where it has no columns, or codes better as text."""
    form = form_of(data, element)
    if form is None or len(data) < form.phase + form.record:
        return None
    if form.fields:
        return _layout(data, element, form, None, _fields(data, form)).encode()
    values = words_of(data, form)
    if len(data) < _WORTH_A_LOOK:
        columns = _columns(values, [Cut(1, noise=False)] * form.record, form)
        return _layout(data, element, form, None, columns).encode()
    probe = sample(values)
    full = values != 0 if _MANY_ZEROS < (probe == 0).mean() < 1 else None
    if full is not None:
        values = _without_zeros(values, full)
        probe = sample(values)
    cuts = cuts_of(probe, sign=form.sign)
    if full is None and form.record > 1 and _better_as_text(data, form, cuts):
        return None
    return _layout(data, element, form, full, _columns(values, cuts, form)).encode()


def _layout(data: memoryview, element: str, form: Form, full: NDArray[numpy.bool_] | None, columns: list[Column]) -> Layout:
    start = len(data) - (len(data) - form.phase) % form.record
    where = None if full is None else _keep_map(numpy.packbits(full, bitorder="little"))
    known = element if element in ELEMENTS or element in FIELDS else ""
    return Layout(known, form.record, form.sign, data[: form.phase], where, columns, data[start:])


def _without_zeros(values: Words, full: NDArray[numpy.bool_]) -> Words:
    blocks = range(0, len(values), _BLOCK_RECORDS)
    kept: list[Words] = [values[at : at + _BLOCK_RECORDS].take(_places(full, at)) for at in blocks]
    return numpy.concatenate(kept)


def _places(full: NDArray[numpy.bool_], start: int) -> NDArray[numpy.intp]:
    """Where in the block from `start` on records are: by them numpy is three times as fast as by the map itself."""
    return numpy.flatnonzero(full[start : start + _BLOCK_RECORDS])


def _columns(values: Words, cuts: list[Cut], form: Form) -> list[Column]:
    columns = split_columns(values, [cut.width for cut in cuts], sign=form.sign)
    return [
        _keep(column, floats=form.sign, noise=cut.noise and (form.sign or cut.width > 1))
        for column, cut in zip(columns, cuts, strict=True)
    ]


def _fields(data: memoryview, form: Form) -> list[Column]:
    rows = numpy.frombuffer(data, numpy.uint8, len(data) // form.record * form.record).reshape(-1, form.record)
    columns, start = [], 0
    for width in form.fields:
        column = numpy.ascontiguousarray(rows[:, start : start + width])
        if bool((column == column[0]).all()):
            columns.append(Column(width, Kept.CONSTANT, column[0].tobytes()))
        else:
            plane = column.reshape(-1)
            columns.append(_keep(plane, floats=True, noise=looks_like_noise(plane))._replace(width=width))
        start += width
    return columns


def _keep(column: Words, *, floats: bool, noise: bool) -> Column:
    """A column in as few bytes as it takes. In one of `floats` nothing is expected to repeat, in `noise` no order at all."""
    plane: Bytes = column.view(numpy.uint8)
    if column[0] == column[-1] and bool((column == column[0]).all()):
        return Column(column.itemsize, Kept.CONSTANT, column[:1].tobytes())
    if not noise:
        frame = write_frame(plane.data, Writer.SYMBOLS if floats else smaller_writer(plane.data))
        if len(frame) < len(plane):
            return Column(column.itemsize, Kept.FRAME, frame)
    return Column(column.itemsize, Kept.RAW, plane.data)


def _keep_map(bits: Bytes) -> Column:
    frame = write_frame(bits.data, smaller_writer(bits.data))
    return Column(1, Kept.FRAME, frame) if len(frame) < len(bits) else Column(1, Kept.RAW, bits.data)


def _better_as_text(data: memoryview, form: Form, cuts: list[Cut]) -> bool:
    """Whether whole words repeat, so that a search for repeats in a part of the data saves more than columns do."""
    start = form.phase + max(0, len(data) - _TRIAL_BYTES) // 2 // form.record * form.record
    part = data[start : start + _TRIAL_BYTES]
    if any(cut.noise for cut in cuts) or len(part) < form.record:
        return False
    whole = form._replace(phase=0)
    columns = _layout(part, "", whole, None, _columns(words_of(part, whole), cuts, whole)).size
    return len(write_frame(part, Writer.REPEATS)) < _CLEARLY * columns


def decode_columns(payload: memoryview, length: int) -> bytearray:
    """The `length` bytes that this payload stands for. Raises BadColumns or BadFrame; memory is a few times `length`."""
    layout = parse_layout(payload, length)
    data = bytearray(length)
    first, end = len(layout.before), length - len(layout.after)
    data[:first], data[end:] = layout.before, layout.after
    rows = numpy.frombuffer(data, numpy.uint8)[first:end]
    if layout.full is None:
        _fill(rows, layout)
        return data
    count = len(rows) // layout.record
    full = numpy.unpackbits(_bytes_of(layout.full, -(-count // 8)), count=count, bitorder="little").view(numpy.bool_)
    kept = numpy.empty(int(numpy.count_nonzero(full)) * layout.record, numpy.uint8)
    _fill(kept, layout)
    _put(_records(rows, layout.record), full, _records(kept, layout.record))
    return data


def _records(rows: Bytes, size: int) -> NDArray[Any]:
    return rows.view(UNSIGNED[size]) if size in UNSIGNED else rows.reshape(-1, size)


def _put(records: NDArray[Any], full: NDArray[numpy.bool_], kept: NDArray[Any]) -> None:
    used = 0
    for start in range(0, len(records), _BLOCK_RECORDS):
        places = _places(full, start)
        records[start : start + _BLOCK_RECORDS][places] = kept[used : used + len(places)]
        used += len(places)


def _fill(rows: Bytes, layout: Layout) -> None:
    """Fill `rows` with records made of the columns."""
    count = len(rows) // layout.record
    widths = [column.width for column in layout.columns]
    if layout.are_words:
        parts = [_part(column, count) for column in layout.columns]
        merge_columns(parts, widths, rows.view(UNSIGNED[layout.record]), sign=layout.sign)
        return
    table, start = rows.reshape(count, layout.record), 0
    for column in layout.columns:
        table[:, start : start + column.width] = _bytes_of(column, count).reshape(-1, column.width)
        start += column.width


def _part(column: Column, count: int) -> Words | int:
    values = _bytes_of(column, count)
    if column.how is Kept.CONSTANT:
        return int.from_bytes(values.tobytes(), "little")
    return values.view(UNSIGNED[column.width])


def _bytes_of(column: Column, count: int) -> Bytes:
    """All bytes of a column of `count` records; of a constant one, those of one record."""
    size = column.width * count
    if column.how is Kept.FRAME:
        return numpy.frombuffer(read_frame(memoryview(column.data), size), numpy.uint8)
    if len(column.data) != (size if column.how is Kept.RAW else column.width):
        raise BadColumns("a chunk has a column of an impossible length")
    return numpy.frombuffer(column.data, numpy.uint8)
