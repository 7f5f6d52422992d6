"""`git lepton hook pointers|pickles`: what runs before a commit, on the staged files alone."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from git_lepton.api import Repository
from git_lepton.errors import CheckFailed, WrongUse
from lepton_hooks.check import Outcome, staged_findings

_MOST_TOLD = 10


class UnknownHook(WrongUse):
    """There is no such hook."""


class Refused(CheckFailed):
    """A hook found files that must not be committed as they are."""


def main(arguments: Sequence[str]) -> int:
    """Run one hook on what is staged. 0 where nothing is wrong; raises Refused, which names the files."""
    name = arguments[0] if arguments else ""
    if name not in _HOOKS:
        raise UnknownHook(f"there is no hook {name!r}", f"There are {', '.join(_HOOKS)}.")
    with Repository() as repository:
        _HOOKS[name](repository)
    return 0


def pointers(repository: Repository) -> None:
    """Where the attributes ask for weights, a pointer is staged, and every pointer is sound. Raises Refused."""
    staged = repository.staged()
    raw = [file.path for file in staged if file.tracked and file.size and file.pointer is None and not file.damage]
    if raw:
        what = "are staged as they are, and their attributes say that git is to hold a pointer"
        _refuse(what, raw, "git lepton install, then: git add --renormalize .")
    broken = [file for file in staged if file.damage]
    if broken:
        what = f"begin like pointers and are none ({broken[0].damage})"
        _refuse(what, [file.path for file in broken], "Add the weights again: git add FILE")


def pickles(repository: Repository) -> None:
    """No staged file runs code when it is loaded. Raises Refused."""
    from lepton_hooks.checks.pickles import PicklesCheck

    check = PicklesCheck(repository.allowed_pickles())
    for path, finding in staged_findings(check, repository):
        if finding.outcome is Outcome.FAILED:
            remedy = 'If you trust that name, say so in lepton.toml: [pickles] allow = ["package.*"]'
            raise Refused(f"{path}: {finding.sentence}", remedy)
        if finding.outcome is Outcome.PASSED:
            sys.stderr.write(f"git-lepton: {path}: {finding.sentence}\n")


def _refuse(what: str, paths: Sequence[str], remedy: str) -> None:
    more = f" and {len(paths) - _MOST_TOLD} more" if len(paths) > _MOST_TOLD else ""
    raise Refused(f"{', '.join(paths[:_MOST_TOLD])}{more} {what}", remedy)


_HOOKS: dict[str, Callable[[Repository], None]] = {"pointers": pointers, "pickles": pickles}
