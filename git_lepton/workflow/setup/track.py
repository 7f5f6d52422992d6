"""`git lepton track` and `untrack`: which files are kept as weights, written into .gitattributes."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from shlex import quote

from git_lepton.errors import WeightsMissing
from git_lepton.format.pointer import claims_to_be_pointer
from git_lepton.git.attributes import tracked_patterns, with_pattern, without_pattern
from git_lepton.store.durable import write_durably
from git_lepton.workflow.setup.install import ensure_installed
from git_lepton.workflow.setup.track_patterns import CannotTrack, covers, is_there, normal, spellings
from git_lepton.workflow.sync.coverage import stray_pointers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from git_lepton.git.repository import GitRepository

ATTRIBUTES = ".gitattributes"


class Overruled(CannotTrack):
    """Other attributes take a file back that a new pattern names."""


class StillPointers(WeightsMissing):
    """Files that are to be ordinary ones again are pointers in the work tree: git would get the pointers."""


class Tracked:
    """What `track` did. `changed`: the patterns that are new; `sentences`: what it set up besides; `raw`: tracked files that git
    still stores whole, until somebody runs `git add --renormalize`."""

    __slots__ = ("changed", "raw", "sentences")

    def __init__(self, changed: list[str], raw: list[str], sentences: list[str]) -> None:
        self.changed, self.raw, self.sentences = changed, raw, sentences


def track(git: GitRepository, folder: Path, patterns: Sequence[str], *, hooks: bool = True) -> Tracked:
    """Track these patterns (or folders, or files) in `folder`/.gitattributes, and set up filter and hook. Raises CannotTrack."""
    top = git.work_tree()
    normals = [normal(top, folder, pattern) for pattern in patterns]
    before = _read(folder / ATTRIBUTES)
    after = before
    for pattern in normals:
        after = with_pattern(after, pattern)
    sentences = ensure_installed(git, hooks=hooks)
    if after != before:
        write_durably(folder / ATTRIBUTES, after)
    try:
        _ensure_ours(git, top, folder, patterns)
    except Overruled:
        if after != before:
            _write(folder / ATTRIBUTES, before)
        raise
    old = set(tracked_patterns(before))
    return Tracked([pattern for pattern in normals if pattern not in old], raw_files(git), sentences)


def _ensure_ours(git: GitRepository, top: Path, folder: Path, names: Sequence[str]) -> None:
    """That files which were named by their names are ours now, by git's own word. Raises Overruled."""
    places = [Path(os.path.abspath(folder / name)) for name in names if is_there(folder / name, stat.S_ISREG)]  # noqa: PTH100 - links stay
    paths = [place.relative_to(base).as_posix() for place in places for base in [_base(top, place)] if base]
    if others := sorted(set(paths) - git.lepton_paths(paths)):
        raise Overruled(
            f"{others[0]} would not be tracked: other attributes say otherwise of it",
            f"git check-attr -a {quote(others[0])} says what; look in .gitattributes below, and in .git/info/attributes.",
        )


def _base(top: Path, place: Path) -> Path | None:
    return next((base for base in (top, top.resolve()) if place.is_relative_to(base)), None)


def untrack(git: GitRepository, folder: Path, patterns: Sequence[str]) -> list[str]:
    """Track these patterns no longer. Gives those that were tracked. A file that only held them goes, from git's index too: git
    believes the one there where the work tree has none. Raises StillPointers."""
    top = git.work_tree()
    path = folder / ATTRIBUTES
    before = after = _read(path)
    tracked = tracked_patterns(before)
    gone = [one for pattern in patterns for one in spellings(top, folder, pattern) if one in tracked]
    for pattern in gone:
        after = without_pattern(after, pattern)
    if after == before:
        return []
    _ensure_weights(git, top, folder, gone)
    _write(path, after)
    if not path.exists() and git.run("-C", str(folder), "ls-files", "-z", "--", ATTRIBUTES):
        git.run("-C", str(folder), "update-index", "--remove", "--", ATTRIBUTES)
    return list(dict.fromkeys(gone))


def _ensure_weights(git: GitRepository, top: Path, folder: Path, patterns: Sequence[str]) -> None:
    """Raises StillPointers where a pattern that goes has files that stand as pointers."""
    below = "" if folder.resolve() == top.resolve() else folder.resolve().relative_to(top.resolve()).as_posix() + "/"
    entries = [entry for entry in git.index_entries() if entry.path.startswith(below)]
    for path in stray_pointers(git, entries, set()):
        if any(covers(pattern, [os.fsencode(path.removeprefix(below))]) for pattern in patterns):
            raise StillPointers(
                f"{path} is still a pointer here: git would get its text, and not the weights",
                "git lepton pull, then untrack again.",
            )


def _write(path: Path, content: bytes) -> None:
    """A file without anything in it goes."""
    if content.strip():
        write_durably(path, content)
    else:
        path.unlink(missing_ok=True)


def patterns_tracked(git: GitRepository) -> list[tuple[str, str]]:
    """All patterns that are tracked, each with the file (from the top of the work tree) that says so."""
    top = git.work_tree()
    names = git.run(
        "ls-files", "--full-name", "-z", "--cached", "--others", "--exclude-standard", "--", f":(top,glob)**/{ATTRIBUTES}"
    )
    files = sorted({name.decode("utf-8", "surrogateescape") for name in names.split(b"\0") if name})
    listed = [(pattern, name) for name in files for pattern in tracked_patterns(_read(top / name))]
    private = git.git_path("info/attributes")
    return listed + [(pattern, str(private)) for pattern in tracked_patterns(_read(private))]


def raw_files(git: GitRepository) -> list[str]:
    """The tracked files whose path has filter=lepton and that git stores as they are, not as pointers. Empty files are fine."""
    entries = git.index_entries()
    ours = git.lepton_paths(entry.path for entry in entries)
    candidates = [(entry.path, entry.blob) for entry in entries if entry.path in ours]
    pointers = {blob.path for blob in git.read_small(_small(git, candidates)) if not blob.data or claims_to_be_pointer(blob.data)}
    return [path for path, _ in candidates if path not in pointers]


def _small(git: GitRepository, candidates: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Those whose blob is small enough to be read as a whole."""
    stdin = "".join(f"{blob}\n" for _, blob in candidates).encode()
    sizes = git.run("cat-file", "--batch-check=%(objectsize)", stdin=stdin).decode().split("\n")
    return [pair for pair, size in zip(candidates, sizes, strict=False) if size.isdigit() and int(size) <= 1024]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
