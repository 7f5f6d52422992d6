"""Warnings of pointers that no .gitattributes covers which travels with them: only pointers would arrive in a clone."""

from __future__ import annotations

from git_lepton.entry.terminal import counted, say, warn
from git_lepton.errors import LeptonError
from git_lepton.format.pointer import is_pointer
from git_lepton.workflow.sync.coverage import changed_attribute_files, uncovered_in_commit, uncovered_in_index

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from git_lepton.format.pointer import Pointer
    from git_lepton.git.repository import GitRepository

_NAMED = 5  # paths in a message
_MOST_TIPS = 20  # of one push that are looked at


def warn_of_push(git: GitRepository, wanted: Iterable[tuple[Pointer, str]], tips: Sequence[str]) -> None:
    """Warn where one of these commits has pointers, among those that the push brings, that clones would leave as they are."""
    paths = list(dict.fromkeys(path for _, path in wanted))
    try:
        uncovered = next(filter(None, (uncovered_in_commit(git, tip, paths) for tip in tips[:_MOST_TIPS])), [])
        hint = remedy(git, uncovered) if uncovered else ""
    except LeptonError as error:  # the weights are safe all the same
        warn(f"the .gitattributes of this push could not be looked at: {error.message}")
        return
    if uncovered:
        are = "is" if len(uncovered) == 1 else "are"
        warn(f"{named(uncovered)} {are} covered by no .gitattributes of this push: clones will hold pointers, not weights")
        say(f"hint: {hint}, then push again")


def warn_of_clone(git: GitRepository, commit: str) -> None:
    """Warn where a commit that is checked out for the first time has pointers that git hands to nobody."""
    try:
        paths = [blob.path for blob in git.small_blobs_in_tree(commit) if is_pointer(blob.data)]
        uncovered = uncovered_in_commit(git, commit, paths)
    except LeptonError:  # `git lepton status` says it again, and why it cannot
        return
    if uncovered:
        stay = "stays a pointer" if len(uncovered) == 1 else "stay pointers"
        warn(f"{named(uncovered)} {stay}: no .gitattributes covers {'it' if len(uncovered) == 1 else 'them'}")
        say(f"hint: git lepton track {' '.join(map(quoted, uncovered[:_NAMED]))}, git lepton pull, and commit .gitattributes")


def warn_of_index(git: GitRepository, paths: Sequence[str]) -> None:
    """Warn where the attributes that make these paths ours are not in git's index."""
    if uncovered := uncovered_in_index(git, paths):
        warn(f"clones would hold pointers: the .gitattributes in git do not cover {named(uncovered)}")
        say(f"hint: {remedy(git, uncovered)}")


def remedy(git: GitRepository, paths: Sequence[str]) -> str:
    """The commands that make attributes cover these paths."""
    changed = changed_attribute_files(git) if git.top_level else []
    if changed and git.lepton_paths(paths).issuperset(paths):
        return f"git add {' '.join(map(quoted, changed))} && git commit"
    return f"git lepton track {' '.join(quoted(path) for path in paths[:_NAMED])} && git add .gitattributes && git commit"


def named(paths: Sequence[str]) -> str:
    """The first few of some paths, and how many more there are."""
    shown = ", ".join(paths[:_NAMED])
    return f"{shown} and {counted(len(paths) - _NAMED, 'more file')}" if len(paths) > _NAMED else shown


def quoted(path: str) -> str:
    """A path as a shell takes it."""
    from shlex import quote

    return quote(path)
