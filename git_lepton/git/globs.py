"""Patterns of paths, as .gitignore has them: `*` and `?` stand for anything but a slash, `**` for any folders.

Time is at most the product of the lengths, whatever pattern somebody committed.
"""

from __future__ import annotations

import re
from fnmatch import translate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def matcher(pattern: str) -> Callable[[str], bool]:
    """Whether a path (from the top, with slashes) is what `pattern` names, or lies in a folder that it names."""
    parts = [None if part == "**" else _part(part) for part in pattern.split("/")]
    return lambda path: _matches(parts, path.split("/"))


def _part(pattern: str) -> re.Pattern[str]:
    return re.compile(translate(pattern.replace("[", "[[]")))  # no choices of characters


def _matches(parts: list[re.Pattern[str] | None], names: list[str]) -> bool:
    """Whether the parts, one after the other, match the first names, or all."""
    reached = {0}  # so many names may be used up by the parts so far
    for part in parts:
        if part is None:
            reached = set(range(min(reached), len(names) + 1))
        else:
            reached = {at + 1 for at in reached if at < len(names) and part.match(names[at])}
        if not reached:
            return False
    return parts[-1] is not None or max(reached) > 0
