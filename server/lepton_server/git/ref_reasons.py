"""Why single refs of a push do not move, in the words that git's client knows and explains to its user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lepton_server.git.program import Git
from lepton_server.git.refs import RefMove, refs_of
from lepton_server.wording import printable

FETCH_FIRST, ALREADY_EXISTS = "fetch first", "already exists"  # git says what to do then
DEFAULT_BRANCH = "it is the default branch"
_NO_OBJECT = "0" * 40
_NAMED_AT_ONCE = 100


def reasons(git: Git, moves: Sequence[RefMove]) -> dict[str, str]:
    """The reason by ref why it cannot move as its pusher thinks: others have moved it meanwhile, or it is what HEAD names and would go."""
    now = _refs(git, [move.ref for move in moves])
    found = {move.ref: _lost(move) for move in moves if _is_stale(move, now)}
    if deleted := [move.ref for move in moves if move.deletes and move.ref in now]:
        head = git.run("symbolic-ref", "HEAD").decode().strip()
        found |= {ref: DEFAULT_BRANCH for ref in deleted if ref == head}
    return found


def refusal_text(found: Mapping[str, str]) -> str:
    """The refusal of all of these, for the person who pushes."""
    lines = ["lepton: this push was refused. No ref has moved, nothing was kept."]
    for ref, reason in sorted(found.items())[:_NAMED_AT_ONCE]:
        name = printable(ref.encode("utf-8", "surrogateescape"))
        if reason == DEFAULT_BRANCH:
            lines.append(f"  {name} is the default branch: a maintainer can choose another one, then delete it.")
            lines.append("  git lepton repo default-branch OWNER/REPO BRANCH")
        elif reason == ALREADY_EXISTS:
            lines.append(f"  {name} was made by somebody else meanwhile.")
        else:
            lines.append(f"  {name} was moved by somebody else meanwhile: git pull, then push again.")
    return "\n".join(lines) + "\n"


def _refs(git: Git, names: Sequence[str]) -> dict[str, str]:
    if len(names) > _NAMED_AT_ONCE:
        return refs_of(git)
    lines = git.run("for-each-ref", "--format=%(objectname) %(refname)", *names).decode("utf-8", "surrogateescape").splitlines()
    return {ref: oid for oid, ref in (line.split(" ", 1) for line in lines)}


def _is_stale(move: RefMove, now: Mapping[str, str]) -> bool:
    there = now.get(move.ref, _NO_OBJECT)
    return there != move.old and not (move.deletes and there == _NO_OBJECT)


def _lost(move: RefMove) -> str:
    return ALREADY_EXISTS if move.ref.startswith("refs/tags/") else FETCH_FIRST
