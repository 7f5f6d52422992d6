"""A slow decoder of codec 3, written from docs/format.md, section 3.4, one word at a time. It trusts its payload."""

from __future__ import annotations

import struct

import zstandard

_WIDTHS = [0, 2, 2, 4, 8, 4, 1, 1, 1, 1, 1, 1, 2, 2, 4, 4, 8, 8] + 30 * [1]  # bytes of a word, by code
_EXPONENTS = {1: (7, 8), 2: (10, 5), 3: (23, 8), 4: (52, 11), 5: (23, 8), 6: (3, 4), 7: (2, 5), 8: (3, 4), 9: (2, 5)}


def decode(payload: bytes, length: int, base: bytes) -> bytes:
    code, base_code = payload[0], payload[1]
    width = _WIDTHS[code]
    count = length // width
    segments = -(-count // 128)
    olds = [_converted(word, base_code, code) for word in _words(base, _WIDTHS[base_code])][:count]
    olds += [0] * (segments * 128 - len(olds))
    levels, at = _stream(payload, 2)
    changed = [segment for segment in range(segments) if levels[segment] != 255]
    places = [128 * segment + place for segment in changed for place in range(128)]
    changes = dict.fromkeys(places, 0)
    if places:
        classes = {place: max(0, min(31, _exponent(olds[place], code) - levels[place // 128])) for place in places}
        ordered = [sorted(places[start : start + 65536], key=classes.__getitem__) for start in range(0, len(places), 65536)]
        ends = list(payload[at + 1 : at + 1 + payload[at]])
        at += 1 + payload[at]
        groups = [
            [place for block in ordered for place in block if first <= classes[place] < last]
            for first, last in zip([0, *ends], ends, strict=False)
        ]
        for plane in range(width):
            used, at = payload[at], at + 1
            for members in [places] if used == 255 else groups[:used]:
                values, at = _stream(payload, at)
                assert len(values) == len(members)
                for place, value in zip(members, values, strict=True):
                    changes[place] |= value << (8 * plane)
    news = []
    for place, old in enumerate(olds[:count]):
        change = changes.get(place, 0)
        step = -(change + 1) // 2 if change % 2 else change // 2
        news.append((old + step) % 256**width)
    return b"".join(word.to_bytes(width, "little") for word in news) + payload[at:]


def _words(data: bytes, width: int) -> list[int]:
    return [int.from_bytes(data[at : at + width], "little") for at in range(0, len(data) - width + 1, width)]


def _exponent(word: int, code: int) -> int:
    if code not in _EXPONENTS:
        return 64
    low, width = _EXPONENTS[code]
    field = (word >> low) % (1 << width)
    return min(max(field - 896, 0), 255) if code == 4 else field


def _converted(word: int, source: int, target: int) -> int:
    if source == target:
        return word
    if 3 not in (source, target):
        return _converted(_converted(word, source, 3), 3, target)
    if (source, target) == (3, 1):
        nan = word & 0x7FFFFFFF > 0x7F800000
        return word >> 16 | 0x40 if nan else ((word + 0x7FFF + (word >> 16 & 1)) % 2**32) >> 16
    if (source, target) == (1, 3):
        return word << 16
    if (source, target) == (3, 2):
        return _half(word & 0x7FFFFFFF) | word >> 16 & 0x8000
    size, sign = word & 0x7FFF, (word & 0x8000) << 16
    if size < 0x400:
        return int.from_bytes(struct.pack("<f", size * 2.0**-24), "little") | sign
    return ((size << 13) + (0x38000000 if size < 0x7C00 else 0x70000000)) | sign


def _half(size: int) -> int:
    if size > 0x7F800000:
        return 0x7E00 | size >> 13 & 0x3FF
    if size >= 0x38800000:
        return min((size - 0x38000000 + 0xFFF + (size >> 13 & 1)) >> 13, 0x7C00)
    shift, digits = min(126 - (size >> 23), 25), size % 2**23 + 2**23
    return (digits + (1 << shift - 1) - 1 + (digits >> shift & 1)) >> shift


def _stream(payload: bytes, at: int) -> tuple[list[int], int]:
    how, count, size = struct.unpack_from("<BII", payload, at)
    data = payload[at + 9 : at + 9 + size]
    if how == 0:
        values = list(data)
    elif how == 1:
        values = list(zstandard.ZstdDecompressor().decompress(data))
    elif how == 2:
        values = list(data) * count
    else:
        first, middle = _stream(data, 0)
        second, end = _stream(data, middle)
        assert end == size
        values = _gaps(first, second, count) if how == 5 else _packed(first, second, {3: 2, 4: 4}[how])[:count]
    assert len(values) == count
    return values, at + 9 + size


def _packed(packed: list[int], over: list[int], together: int) -> list[int]:
    bits = 8 // together
    most, rest = (1 << bits) - 1, iter(over)
    numbers = [byte >> bits * place & most for byte in packed for place in range(together)]
    return [number + next(rest) if number == most else number for number in numbers]


def _gaps(gaps: list[int], found: list[int], count: int) -> list[int]:
    values: list[int] = []
    rest = iter(found)
    for gap in gaps:
        values += [0] * gap
        if gap < 255:
            values.append(next(rest) + 1)
    return values + [0] * (count - len(values))
