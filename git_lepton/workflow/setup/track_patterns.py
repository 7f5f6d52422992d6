"""Patterns of `track` and `untrack`: what somebody types becomes one that git matches, or a sentence that says why there is none."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from shlex import quote

from git_lepton.errors import WrongUse
from git_lepton.format.attributes.lines import MAX_LINE_BYTES
from git_lepton.format.attributes.pathname_glob import may_match
from git_lepton.format.attributes.reading import ATTRIBUTES, AttributeReading
from git_lepton.git.attributes import OURS, AttributeLine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NEVER = (ATTRIBUTES.decode(), ".gitignore", ".gitmodules", "lepton.toml")  # git or we read these from commits, as they are
_EXAMPLE = "For example: git lepton track '*.safetensors'"
_SPECIAL = re.compile(r"[*?\[\\]|\A!")


class CannotTrack(WrongUse):
    """A pattern that would make weights of what is none, or that git never matches."""


def normal(top: Path, folder: Path, typed: str) -> str:
    """The pattern for `folder`/.gitattributes. A folder means all below it; what is the name of a file means that file, whatever
    characters are in it. Raises CannotTrack."""
    name = _inside(top, folder, typed)
    if not name or ".." in name.split("/"):
        raise CannotTrack(f"{typed!r} is no pattern for this folder", _EXAMPLE)
    place = folder / name.removeprefix("/")
    is_folder = name.endswith("/") or (is_there(place, stat.S_ISDIR) and not place.is_symlink())
    literal = is_there(place, stat.S_ISDIR if is_folder else stat.S_ISREG)
    pattern = name.rstrip("/") + ("/**" if is_folder else "")
    named = [os.fsencode(name.strip("/") + ("/a" if is_folder else ""))] if literal else []
    if named and not covers(pattern, named):
        pattern = _SPECIAL.sub(lambda found: "\\" + found[0], name.rstrip("/")) + ("/**" if is_folder else "")
    if pattern.startswith(("!", "[attr]")) or not may_match(os.fsencode(pattern)) or (named and not covers(pattern, named)):
        raise CannotTrack(f"{typed!r} is a pattern that git never matches", _EXAMPLE)
    if len(AttributeLine(pattern, OURS).encode()) >= MAX_LINE_BYTES:
        raise CannotTrack(f"a pattern of {len(pattern)} characters makes a line that git ignores", _EXAMPLE)
    below = [f"{name.strip('/')}/{special}" for special in NEVER if is_folder and is_there(place / special, stat.S_ISREG)]
    if special := next((special for special in (*NEVER, *below) if covers(pattern, [os.fsencode(special)])), None):
        raise CannotTrack(f"{pattern!r} would keep {special} as weights", f"Name the weights. {_EXAMPLE}")
    return pattern


def spellings(top: Path, folder: Path, typed: str) -> list[str]:
    """The patterns that somebody may mean who wants one untracked: as it is listed, or as `track` would write it."""
    found = [typed, typed.removeprefix("./")]
    try:
        found.append(normal(top, folder, typed))
    except CannotTrack:
        found.append(f"{typed.rstrip('/')}/**")  # older lines may be what would not be written today
    return list(dict.fromkeys(found))


def is_there(place: Path, kind: Callable[[int], bool]) -> bool:
    """Whether a file of that kind is there; a name that no file can have is nowhere."""
    try:
        return kind(place.stat().st_mode)
    except (OSError, ValueError):
        return False


def covers(pattern: str, paths: Sequence[bytes]) -> bool:
    """Whether a line of ours with this pattern makes weights of all these paths, seen from its folder."""
    reading = AttributeReading({ATTRIBUTES: AttributeLine(pattern, OURS).encode()})
    return reading.paths_with(b"lepton", paths) == set(paths)


def _inside(top: Path, folder: Path, typed: str) -> str:
    """What was typed as seen from the folder, without `./` and doubled slashes; a path from the root of the disk loses its start."""
    name = typed.replace("\\", "/") if os.name == "nt" else typed
    if Path(name).is_absolute():
        for start in (str(folder), os.path.realpath(folder)):
            if (name + "/").startswith(start.rstrip("/") + "/"):
                name = "/" + name[len(start) :].strip("/") + ("/" if name.endswith("/") else "")
                break
        else:
            if is_there(Path(name), bool) or (name + "/").startswith(f"{top}/"):
                raise CannotTrack(
                    f"{typed} is not in this folder",
                    f"cd {quote(str(Path(name).parent))}, then: git lepton track {quote(Path(name).name)}",
                )
    anchored = name.startswith("/")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if not parts:
        parts = ["**"] if name else []
        anchored = False
    end = "/" if name.endswith("/") and parts != ["**"] else ""
    return ("/" if anchored else "") + "/".join(parts) + end
