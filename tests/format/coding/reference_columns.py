"""Codec 4 as docs/format.md, section 3.5, has it: a byte at a time, and nothing taken from the code that is tested."""

from __future__ import annotations

import struct

import zstandard


def decode(payload: bytes, length: int) -> bytes:
    flags, number, name, record, before = struct.unpack_from("<BBBHH", payload)
    at = 7 + name
    entries = [struct.unpack_from("<HBI", payload, at + 7 * index) for index in range(number + (flags >> 1))]
    at += 7 * len(entries)
    head, at = payload[at : at + before], at + before
    parts = []
    for _, _, size in entries:
        parts.append(payload[at : at + size])
        at += size
    count = (length - before) // record
    there = [True] * count
    if flags & 2:
        bits = _column(entries.pop(0)[1], parts.pop(0), -(-count // 8))
        there = [bool(bits[index // 8] >> index % 8 & 1) for index in range(count)]
    kept = sum(there)
    columns = [(width, _column(how, part, kept)) for (width, how, _), part in zip(entries, parts, strict=True)]
    out, index = bytearray(head), 0
    for is_there in there:
        if is_there:
            row = b"".join(column[width * index : width * (index + 1)] for width, column in columns)
            out += _sign_moved_back(row) if flags & 1 else row
            index += 1
        else:
            out += bytes(record)
    return bytes(out) + payload[at:]


def _column(how: int, part: bytes, count: int) -> bytes:
    return [lambda: part, lambda: zstandard.decompress(part) if count else b"", lambda: part * count][how]()


def _sign_moved_back(row: bytes) -> bytes:
    word, top = int.from_bytes(row, "little"), 8 * len(row) - 9
    nine = word >> top
    word = word & ((1 << top) - 1) | (nine & 1) << (top + 8) | (nine >> 1) << top
    return word.to_bytes(len(row), "little")
