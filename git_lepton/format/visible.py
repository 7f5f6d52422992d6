"""Text from others (names in files, refs and archives, words of servers) as one line that does nothing to a terminal or a log: what
would move a cursor, hide or turn text round, or begin another line is shown by its number.
"""

from __future__ import annotations

import re

_HIDDEN = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # control characters, C1 among them
    "\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # turned, hidden, other ends of lines
    "\ud800-\udfff"  # bytes that are no UTF-8, as file names have them
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f"
    "]"
)
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def visible(text: str) -> str:
    """The text with all that does not stand for itself as `\\n`, `\\x1b`, `\\u202e`. Text without such comes back as it is."""
    return _HIDDEN.sub(_number, text)


def visible_json(text: str) -> str:
    """JSON with such characters escaped, which stays the same value: they stand only inside of its strings, where `\\u202e` is that
    character. Its own line ends stay."""
    return _HIDDEN.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    if character == "\n":
        return character
    units = character.encode("utf-16-be", "surrogatepass")  # JSON writes them one by one
    return "".join(rf"\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def _number(match: re.Match[str]) -> str:
    character = match[0]
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00  # the byte that it stands for
    short = _SHORT.get(character)
    return short or (rf"\x{code:02x}" if code < 0x100 else rf"\u{code:04x}" if code < 0x10000 else rf"\U{code:08x}")
