"""`git lepton track` and `untrack`: which files are kept as weights, written into .gitattributes."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

from git_lepton.errors import WrongUse
from git_lepton.format.pointer import claims_to_be_pointer
from git_lepton.git.attributes import tracked_patterns, with_pattern, without_pattern
from git_lepton.store.durable import write_durably
from git_lepton.workflow.install import ensure_installed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from git_lepton.git.repository import GitRepository

ATTRIBUTES = ".gitattributes"
_NEVER = (ATTRIBUTES, ".gitignore", ".gitmodules", "lepton.toml")  # git or we read these from commits, as they are


class CannotTrack(WrongUse):
    """A pattern that would make weights of what is none."""


class Tracked:
    """What `track` did. `changed`: the patterns that are new; `sentences`: what it set up besides; `raw`: tracked files that git
    still stores whole, until somebody runs `git add --renormalize`."""

    __slots__ = ("changed", "raw", "sentences")

    def __init__(self, changed: list[str], raw: list[str], sentences: list[str]) -> None:
        self.changed, self.raw, self.sentences = changed, raw, sentences


def track(git: GitRepository, folder: Path, patterns: Sequence[str], *, hooks: bool = True) -> Tracked:
    """Track these patterns (or folders) in `folder`/.gitattributes, and set up filter and hook. Raises CannotTrack."""
    git.work_tree()
    normal = [_normal(folder, pattern) for pattern in patterns]
    before = _read(folder / ATTRIBUTES)
    after = before
    for pattern in normal:
        after = with_pattern(after, pattern)
    sentences = ensure_installed(git, hooks=hooks)
    if after != before:
        write_durably(folder / ATTRIBUTES, after)
    old = set(tracked_patterns(before))
    return Tracked([pattern for pattern in normal if pattern not in old], raw_files(git), sentences)


def untrack(git: GitRepository, folder: Path, patterns: Sequence[str]) -> list[str]:
    """Track these patterns no longer. Gives those that were tracked. A file that only held them goes."""
    git.work_tree()
    normal = [_normal(folder, pattern) for pattern in patterns]
    path = folder / ATTRIBUTES
    before = after = _read(path)
    for pattern in normal:
        after = without_pattern(after, pattern)
    if after.strip():
        if after != before:
            write_durably(path, after)
    elif before.strip():
        path.unlink()
    gone = set(tracked_patterns(before)) - set(tracked_patterns(after))
    return [pattern for pattern in normal if pattern in gone]


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


def _normal(folder: Path, pattern: str) -> str:
    """The pattern as .gitattributes wants it: a folder means all below it (`models/` would match nothing there)."""
    pattern = pattern.removeprefix("./")
    if not pattern or pattern.startswith(("../", "!", "[attr]")):
        raise CannotTrack(f"{pattern!r} is no pattern for this folder", "For example: git lepton track '*.safetensors'")
    if pattern.endswith("/") or (folder / pattern).is_dir():
        pattern = f"{pattern.rstrip('/')}/**"
    name = pattern.removeprefix("/").removeprefix("**/")
    for special in _NEVER:
        if fnmatchcase(special, name) or name == "**":
            raise CannotTrack(
                f"{pattern!r} would keep {special} as weights", "Name the weights: git lepton track '*.safetensors'"
            )
    return pattern


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
