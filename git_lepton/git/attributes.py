"""Lines of a .gitattributes file: which patterns are ours, and what `track` and `untrack` make of such a file. No IO.

Every byte that is not ours to change stays as it was: other lines, comments, line endings.
"""

from __future__ import annotations

import re

OURS = ("filter=lepton", "diff=lepton", "-merge", "-text")
"""`-merge`: git's own way with binary files, a side as a whole or a conflict. It heeds `-X ours` and `-X theirs`, of which git tells
no driver of ours, and never mixes pointers where git-lepton is not installed."""
_OURS_ONCE = ("merge=lepton",)  # what `track` wrote before; such lines go on working
_GOVERNED = frozenset({"filter", "diff", "merge", "text", "eol", "crlf", "binary"})
_EVERYTHING = frozenset({"*", "**", "**/*"})
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)"')
_NEEDS_QUOTES = re.compile(rb'[\x00-\x20\x7f]|\A["#]')
_TO_ESCAPE = re.compile(rb'[\\"\x00-\x1f\x7f]')
_ESCAPE = re.compile(rb"\\([abfnrtv\\\"]|[0-7]{3})")
_LETTERS = {b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v", b"\\": b"\\", b'"': b'"'}


class AttributeLine:
    """One line that gives attributes to a pattern."""

    __slots__ = ("attributes", "pattern")

    def __init__(self, pattern: str, attributes: tuple[str, ...]) -> None:
        self.pattern = pattern
        self.attributes = attributes

    @property
    def filter(self) -> str:
        """The filter this line sets, empty if none."""
        return next((value for name, _, value in (a.partition("=") for a in reversed(self.attributes)) if name == "filter"), "")

    def encode(self) -> bytes:
        return b" ".join([quote(self.pattern), *(attribute.encode() for attribute in self.attributes)])


def quote(pattern: str) -> bytes:
    """A pattern as a .gitattributes file has it: in double quotes where it has spaces or would be read as something else."""
    raw = pattern.encode("utf-8", "surrogateescape")
    if not _NEEDS_QUOTES.search(raw):
        return raw
    return b'"' + _TO_ESCAPE.sub(_escape, raw) + b'"'


def parse_line(line: bytes) -> AttributeLine | None:
    """The pattern and attributes of one line; None for a comment, a macro or an empty line."""
    text = line.strip()
    if not text or text.startswith(b"#"):
        return None
    quoted = _QUOTED.match(text)
    if quoted:
        pattern, rest = _ESCAPE.sub(_unescape, quoted[1]), text[quoted.end() :]
    else:
        pattern, _, rest = text.replace(b"\t", b" ").partition(b" ")
    if pattern.startswith(b"[attr]"):
        return None
    attributes = tuple(rest.decode("utf-8", "surrogateescape").split())
    return AttributeLine(pattern.decode("utf-8", "surrogateescape"), attributes)


def tracked_patterns(content: bytes) -> list[str]:
    """The patterns that a file gives to our filter, in order."""
    lines = map(parse_line, content.splitlines())
    return [line.pattern for line in lines if line and line.filter == "lepton"]


def with_pattern(content: bytes, pattern: str) -> bytes:
    """The file with this pattern tracked by us, and by git-lfs no longer; the same bytes if that is so already.

    A line of ours or of git-lfs for the pattern is changed where it stands, so that exceptions below it stay exceptions,
    unless a later line for everything (`* text=auto`) would win; then, and for a new pattern, ours becomes the last line.
    """
    lines = content.splitlines(keepends=True)
    end = b"\r\n" if lines and lines[0].endswith(b"\r\n") else b"\n"
    for position, line in enumerate(lines):
        parsed = parse_line(line)
        if not (parsed and parsed.pattern == pattern and parsed.filter in ("lepton", "lfs")):
            continue
        ours = AttributeLine(pattern, OURS + tuple(a for a in parsed.attributes if _name(a) not in _GOVERNED))
        if any(map(_is_for_everything, lines[position + 1 :])):
            del lines[position]
            return with_pattern(b"".join(lines), pattern)
        if parsed.attributes == ours.attributes:
            return content
        lines[position] = ours.encode() + (end if line.endswith(b"\n") else b"")
        return b"".join(lines)
    if lines and not lines[-1].endswith(b"\n"):
        lines[-1] += end
    return b"".join([*lines, AttributeLine(pattern, OURS).encode(), end])


def without_pattern(content: bytes, pattern: str) -> bytes:
    """The file with this pattern tracked by us no longer. Attributes that are not ours stay."""
    kept = []
    for line in content.splitlines(keepends=True):
        parsed = parse_line(line)
        if parsed and parsed.pattern == pattern and parsed.filter == "lepton":
            rest = AttributeLine(pattern, tuple(a for a in parsed.attributes if a not in OURS + _OURS_ONCE))
            end = line[len(line.rstrip(b"\r\n")) :]
            if rest.attributes:
                kept.append(rest.encode() + end)
        else:
            kept.append(line)
    return b"".join(kept)


def _name(attribute: str) -> str:
    return attribute.lstrip("-!").partition("=")[0]


def _is_for_everything(line: bytes) -> bool:
    parsed = parse_line(line)
    return bool(parsed and parsed.pattern in _EVERYTHING and any(_name(a) in _GOVERNED for a in parsed.attributes))


def _escape(match: re.Match[bytes]) -> bytes:
    character = match[0]
    return b"\\" + character if character in (b'"', b"\\") else b"\\%03o" % character[0]


def _unescape(match: re.Match[bytes]) -> bytes:
    code = match[1]
    return _LETTERS.get(code) or bytes([int(code, 8) & 0xFF])
