"""Safe paths: those of a tree that may become files in a folder, on any system. A tree comes from others and may be meant to do harm."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from git_lepton.errors import NotAllowed

PARTIAL = ".git-lepton-partial"
_GIT_IN_DISGUISE = re.compile(r"(\.git|git~[0-9]+)[ .]*(:.*)?", re.IGNORECASE)
_IGNORED_BY_HFS = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)[ ]*(\..*)?", re.IGNORECASE)
_NOT_ON_WINDOWS = re.compile(r'[<>:"|?*\x00-\x1f]|[ .]$')


class UnsafePath(NotAllowed):
    """A path in the tree that must not become a file."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(
            f"the version has a path that is not written: {path!r} {why}", "Ask who made it; name other paths meanwhile."
        )


def place_of(folder: Path, path: str, *, windows: bool = sys.platform == "win32") -> Path:
    """Where a tree's path goes inside `folder`. Raises UnsafePath, also where a link stands on the way there."""
    parts = path.split("/")
    for part in parts:
        why = _objection(part, windows)
        if why:
            raise UnsafePath(path, why)
    if parts[0].casefold() == PARTIAL:
        raise UnsafePath(path, "is the name of our own folder")
    place = folder
    for part in parts[:-1]:
        place = place / part
        if place.is_symlink():
            raise UnsafePath(path, f"leads through the link {place}")
        if place.exists() and not place.is_dir():
            raise UnsafePath(path, f"needs a folder where {place} is a file")
    place = place / parts[-1]
    if place.is_symlink() or place.is_dir():
        raise UnsafePath(path, "is a link or a folder here")
    return place


def _objection(part: str, windows: bool) -> str:
    if part in ("", ".", ".."):
        return "leaves its folder"
    if "\0" in part or (windows and "\\" in part):
        return "has a character that separates folders"
    if _GIT_IN_DISGUISE.fullmatch(_IGNORED_BY_HFS.sub("", part)):
        return "reaches into a git directory"
    if windows and (_NOT_ON_WINDOWS.search(part) or _DEVICES.fullmatch(part)):
        return "cannot be a file name on Windows"
    return ""
