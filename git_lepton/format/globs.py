"""Patterns of paths: `*` and `?` stand for anything but a slash, `**` for any folders; every other character, brackets too, for itself.
What people type is read by one rule in all commands (`named_by`, `anywhere`): a path or folder that is there means itself; a pattern
without a slash is looked for at any depth, one with a slash from the top, as in .gitignore.

Time is at most the product of the lengths, whatever pattern somebody committed.
"""

from __future__ import annotations

import re
from fnmatch import translate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence


_WILD = re.compile(r"[*?]")


def matcher(pattern: str) -> Callable[[str], bool]:
    """Whether a path (from the top, with slashes) is what `pattern` names, or lies in a folder that it names."""
    parts = [None if part == "**" else _part(part) for part in pattern.split("/")]
    begins = _WILD.split(pattern, maxsplit=1)[0].rstrip(
        "/"
    )  # what lies elsewhere, as most of a large repository, is told at once
    return lambda path: path.startswith(begins) and _matches(parts, path.split("/"))


def anywhere(pattern: str) -> Callable[[str], bool]:
    """Whether a path is what a pattern that somebody typed names, or lies in a folder that it names; `.` and `/` name all."""
    name = _cleaned(pattern)
    if pattern and not name:
        return lambda _: True
    return matcher(("" if "/" in pattern.removeprefix("./").rstrip("/") else "**/") + name)


def named_by(pattern: str, paths: Collection[str]) -> list[str]:
    """Those of these paths that somebody means who types `pattern`: the one that is called so, those in the folder that is called so, or
    else those that match."""
    name = _cleaned(pattern)
    if name in paths:
        return [name]
    wanted = anywhere(pattern)
    return [path for path in paths if path.startswith(f"{name}/")] or [path for path in paths if wanted(path)]


def path_chooser(include: Sequence[str], exclude: Sequence[str]) -> Callable[[str], bool]:
    """Whether a path is one that some pattern of `include` names (all are, where there is none) and none of `exclude` does."""
    included, excluded = [anywhere(pattern) for pattern in include], [anywhere(pattern) for pattern in exclude]
    return lambda path: (not included or any(names(path) for names in included)) and not any(names(path) for names in excluded)


def _cleaned(pattern: str) -> str:
    """Without what names no folder of its own: `models//./a` is `models/a`."""
    return "/".join(part for part in pattern.split("/") if part not in ("", "."))


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
