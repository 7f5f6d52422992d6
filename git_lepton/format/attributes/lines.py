"""The lines of one attribute file: patterns and macros with what they set.

git reads a file of the work tree otherwise than the same bytes in its index: it takes a byte order mark away, and a NUL ends a line
and not the file. Both ways are here.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

Value = bytes | bool | None
"""What a line gives an attribute: text (`name=text`), True (`name`), False (`-name`), None (`!name`, as if nothing were said)."""

MAX_FILE_BYTES: Final = 100 << 20  # git ignores a file of this size, and a line of that
MAX_LINE_BYTES: Final = 2048
_BLANK = b" \t\r\n"
_MARK = b"\xef\xbb\xbf"
_MACRO = b"[attr]"
_WORD = re.compile(rb"[^ \t\r\n]+")
_NAME = re.compile(rb"(?!-)[-._0-9A-Za-z]+")
_QUOTED = re.compile(rb'"((?:[^"\\]|\\(?:[abfnrtv\\"]|[0-3][0-7]{2}))*)"', re.DOTALL)
_ESCAPE = re.compile(rb"\\([abfnrtv\\\"]|[0-3][0-7]{2})")
_LETTERS = {b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v", b"\\": b"\\", b'"': b'"'}


class Line:
    """One line that counts: what a pattern, or a macro of that name, sets, in the line's order."""

    __slots__ = ("is_macro", "pattern", "states")

    def __init__(self, pattern: bytes, states: tuple[tuple[bytes, Value], ...], *, is_macro: bool = False) -> None:
        self.pattern, self.states, self.is_macro = pattern, states, is_macro


def lines_of(content: bytes, *, in_index: bool = True) -> Iterator[Line]:
    """The lines of a file that count, as git reads it from its index, or from the work tree."""
    if len(content) >= MAX_FILE_BYTES:
        return
    for text in _in_index(content) if in_index else _in_work_tree(content):
        line = parse_line(text)
        if line is not None:
            yield line


def _in_index(content: bytes) -> list[bytes]:
    return content.partition(b"\0")[0].split(b"\n")


def _in_work_tree(content: bytes) -> Iterator[bytes]:
    *ended, last = content.removeprefix(_MARK).split(b"\n")
    for line in ended:
        yield line.removesuffix(b"\r").partition(b"\0")[0]
    yield last.partition(b"\0")[0]


def parse_line(text: bytes) -> Line | None:
    """What a line without its end says; None where git ignores it: empty, a comment, too long, negative, a name that is none."""
    stripped = text.lstrip(_BLANK)
    if not stripped or stripped.startswith(b"#") or len(text) >= MAX_LINE_BYTES:
        return None
    if quoted := _QUOTED.match(stripped):
        whole, rest = unescape(quoted[1]), stripped[quoted.end() :]
    else:
        whole, *_ = _WORD.findall(stripped)
        rest = stripped[len(whole) :]
    pattern = whole.partition(b"\0")[0]
    is_macro = pattern.startswith(_MACRO) and len(whole) > len(_MACRO)
    if is_macro:
        pattern, *_ = [*_WORD.findall(pattern.removeprefix(_MACRO)), b""]
    if pattern.startswith(b"!") or (is_macro and not _NAME.fullmatch(pattern)):
        return None
    states = [_state(word) for word in _WORD.findall(rest)]
    return None if None in states else Line(pattern, tuple(filter(None, states)), is_macro=is_macro)


def unescape(quoted: bytes) -> bytes:
    """What stands between the quotes of a quoted pattern."""
    return _ESCAPE.sub(_unescape, quoted) if b"\\" in quoted else quoted


def _state(word: bytes) -> tuple[bytes, Value] | None:
    name, equals, value = word.partition(b"=")
    sign = name[:1] if name[:1] in (b"-", b"!") else b""
    name = name[len(sign) :]
    if not _NAME.fullmatch(name):
        return None
    return name, False if sign == b"-" else None if sign else value if equals else True


def _unescape(match: re.Match[bytes]) -> bytes:
    code = match[1]
    return _LETTERS.get(code) or bytes([int(code, 8)])
