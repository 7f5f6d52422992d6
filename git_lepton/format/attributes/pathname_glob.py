"""git's dialect of globs, as regular expressions over bytes that never take more time than pattern times path.

A regular expression that tries every way to share a path out among several stars takes for ever. Here each star takes as little as
lets the text after it match, and is never asked again: whatever follows has then the most room, so that no match is lost.
"""

from __future__ import annotations

import re
import string

SPECIAL = re.compile(rb"[*?\[\\]")
_NEVER = b"(?!)"
_ONE_NAME, _ANYTHING, _FOLDERS = b"[^/]*?", b".*?", b"(?:.*?/)??"
_SLASH = frozenset(b"/")
_SPACE = b" \t\n\r"  # git's own idea of it
_UPPER, _LOWER = frozenset(string.ascii_uppercase.encode()), frozenset(string.ascii_lowercase.encode())
_DIGIT = frozenset(string.digits.encode())
_PRINT = frozenset(range(0x20, 0x7F))
_CLASSES = {
    b"alnum": _UPPER | _LOWER | _DIGIT,
    b"alpha": _UPPER | _LOWER,
    b"blank": frozenset(b" \t"),
    b"cntrl": frozenset(range(0x20)) | {0x7F},
    b"digit": _DIGIT,
    b"graph": _PRINT - {0x20},
    b"lower": _LOWER,
    b"print": _PRINT,
    b"punct": frozenset(string.punctuation.encode()),
    b"space": frozenset(_SPACE),
    b"upper": _UPPER,
    b"xdigit": frozenset(string.hexdigits.encode()),
}


class _Malformed(Exception):
    """The pattern matches nothing."""


def compile_glob(pattern: bytes, *, fold: bool = False) -> re.Pattern[bytes]:
    """What `match` of the result accepts is what the whole pattern means: `*` and `?` stop at slashes, `**` between slashes does not.

    With `fold`, what is matched has to be in lower case already.
    """
    try:
        source = _Translation(pattern, fold).source()
    except _Malformed:
        source = _NEVER
    return re.compile(source, re.DOTALL)


def may_match(pattern: bytes) -> bool:
    """Whether there is any path that the pattern means: not where a bracket or a backslash lacks what should follow it."""
    return _NEVER not in compile_glob(pattern).pattern


class _Translation:
    """One pattern on its way to a regular expression."""

    def __init__(self, pattern: bytes, fold: bool) -> None:
        self._pattern, self._fold, self._at = pattern, fold, 0

    def source(self) -> bytes:
        """A run of stars that cross slashes ends each group; within it the stars are settled one by one, and then all together."""
        groups, star, fixed = [b""], b"", b""
        while self._at < len(self._pattern):
            if self._pattern[self._at] != ord("*"):
                fixed += self._one_byte()
                continue
            groups[-1] += b"(?>" + star + fixed + b")" if star == _ONE_NAME else star + fixed
            star, fixed = self._star(), b""
            if star != _ONE_NAME:
                groups.append(b"")
        groups[-1] += star + fixed + rb"\Z"
        return b"".join(b"(?>" + group + b")" for group in groups)

    def _star(self) -> bytes:
        """The star or stars here, and the slash that belongs to them."""
        pattern, start = self._pattern, self._at
        while pattern[self._at : self._at + 1] == b"*":
            self._at += 1
        rest = pattern[self._at : self._at + 2]
        between = (start == 0 or pattern[start - 1] == ord("/")) and (rest[:1] in (b"", b"/") or rest == b"\\/")
        if self._at - start == 1 or not between:
            return _ONE_NAME
        if rest[:1] == b"/":
            self._at += 1
            return _FOLDERS
        return _ANYTHING

    def _one_byte(self) -> bytes:
        """What matches the one byte that the pattern asks for here."""
        byte = self._pattern[self._at]
        self._at += 1
        if byte == ord("?"):
            return b"[^/]"
        if byte == ord("["):
            return _class(self._bracket() - _SLASH)
        if byte == ord("\\"):
            if self._at == len(self._pattern):
                raise _Malformed
            byte = self._pattern[self._at]
            self._at += 1
            if self._fold and byte in _UPPER:
                raise _Malformed  # git folds neither an escaped letter nor those of a bracket
        elif self._fold and byte in _UPPER:
            byte += 32
        return b"\\x%02x" % byte

    def _next(self) -> int:
        if self._at >= len(self._pattern):
            raise _Malformed
        self._at += 1
        return self._pattern[self._at - 1]

    def _bracket(self) -> frozenset[int]:
        """The bytes that the bracket accepts whose first character is next. Raises _Malformed where it has no end."""
        accepted, before = set[int](), 0
        byte = self._next()
        negated = byte in b"!^"
        if negated:
            byte = self._next()
        while True:
            if byte == ord("\\"):
                byte = self._next()
                accepted.add(byte)
            elif byte == ord("-") and before and self._pattern[self._at : self._at + 1] not in (b"", b"]"):
                accepted |= self._range(before)
                byte = 0
            elif byte == ord("[") and self._pattern[self._at : self._at + 1] == b":" and (named := self._named()) is not None:
                accepted |= named
                byte = 0
            else:
                accepted.add(byte)
            before, byte = byte, self._next()
            if byte == ord("]"):
                return frozenset(range(256)) - accepted if negated else frozenset(accepted)

    def _range(self, first: int) -> set[int]:
        last = self._next()
        if last == ord("\\"):
            last = self._next()
        found = set(range(first, last + 1))
        return found | {byte + 32 for byte in found & _UPPER} if self._fold else found

    def _named(self) -> frozenset[int] | None:
        """The class `[:name:]` whose colon is next; None where these are characters like others."""
        end = self._pattern.find(b"]", self._at + 1)
        if end < 0:
            raise _Malformed
        if end == self._at + 1 or self._pattern[end - 1] != ord(":"):
            return None
        name = self._pattern[self._at + 1 : end - 1]
        if name not in _CLASSES:
            raise _Malformed
        self._at = end + 1
        return _CLASSES[name] | _LOWER if self._fold and name == b"upper" else _CLASSES[name]


def _class(accepted: frozenset[int]) -> bytes:
    if not accepted:
        return _NEVER
    few = min(accepted, frozenset(range(256)) - accepted, key=len)
    return b"[%s%s]" % (b"" if few == accepted else b"^", b"".join(b"\\x%02x" % byte for byte in sorted(few)))
