"""What a push has to satisfy besides its weights: the rules of branches and tags, and other people's locks. And its notes.

The rules, the pusher's role and the locks are those of the moment in which git asks, not of the one in which the push began.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection

from lepton_server import audit, evidence, locked_paths, policy, tokens
from lepton_server.accounts import NO_SCOPES, Caller
from lepton_server.authentication import unauthenticated
from lepton_server.completeness import printable
from lepton_server.database import Database
from lepton_server.git_hosting import refs_of
from lepton_server.git_program import Git
from lepton_server.hook_desk import RefMove
from lepton_server.locks import Lock, locks_of
from lepton_server.permissions import Action, require
from lepton_server.policy import Move, Way
from lepton_server.repositories import Repository
from lepton_server.rules import rules_of

_NO_OBJECT = "0" * 40
_TAGS = "refs/tags/"
_MOST_REFUSALS_NOTED = 20


@dataclass(frozen=True)
class PushRules:
    """The rules for one push of `caller` to `repository`."""

    database: Database
    repository: Repository
    caller: Caller

    def refusal(self, git: Git, moves: Sequence[RefMove]) -> str:
        """The text for the person who pushes; empty if the refs may move. `git` sees the push's quarantine. Raises Refusal where
        the pusher may write no longer: the right was taken back, the token revoked or out of date, the account disabled. Raises
        GitFailed where the answer cannot be found out."""
        with self.database.read() as connection:
            caller = tokens.caller_now(connection, self.caller.account, self.caller.token)
            if caller.scopes == NO_SCOPES:
                raise unauthenticated("This token is not valid any longer.")
            role = require(connection, caller, self.repository, Action.WRITE)
            rules = rules_of(connection, self.repository)
            foreign = [lock for lock in locks_of(connection, self.repository) if lock.account != self.caller.account]
        if not rules and not foreign:
            return ""
        tips = locked_paths.tips_of(git, [name for move in moves for name in (move.old, move.new) if name != _NO_OBJECT])
        judged = [Move(move.ref, _way(git, move, tips), tips.get(move.new, "")) for move in moves]
        with self.database.read() as connection:
            outcomes = evidence.last_outcomes(connection, self.repository, policy.needed_evidence(judged, rules))
        findings = policy.refused(judged, rules, role, outcomes)
        return policy.refusal_text(findings + _lock_findings(git, moves, judged, tips, foreign))

    def note_refusal(self, moves: Sequence[RefMove], reason: str) -> None:
        """Leave a note in the audit log that these moves were refused; of very many refs of the first ones."""
        with self.database.write() as connection:
            for move in moves[:_MOST_REFUSALS_NOTED]:
                self._note(connection, "ref.refused", move, reason=reason[:1000])

    def note_moves(self, moves: Sequence[RefMove]) -> None:
        """Leave a note of each of these moves, which have happened."""
        with self.database.write() as connection:
            for move in moves:
                self._note(connection, "ref.move", move)

    def _note(self, connection: Connection, action: str, move: RefMove, **detail: str) -> None:
        ref = printable(move.ref.encode("utf-8", "surrogateescape"))
        name = self.repository.full_name
        audit.note(connection, self.caller, action, repository=name, subject=ref, old=move.old, new=move.new, **detail)


def _way(git: Git, move: RefMove, tips: dict[str, str]) -> Way:
    if move.deletes:
        return Way.DELETE
    if move.old == _NO_OBJECT:
        return Way.CREATE
    old, new = tips[move.old], tips[move.new]
    if move.ref.startswith(_TAGS) or not old or not new:
        return Way.FORCE
    left_behind = git.run("rev-list", "--max-count=1", old, f"^{new}")
    return Way.FORCE if left_behind else Way.FORWARD


def _lock_findings(
    git: Git, moves: Sequence[RefMove], judged: Sequence[Move], tips: dict[str, str], locks: Sequence[Lock]
) -> list[str]:
    """A sentence for each locked path of somebody else's that the push changes."""
    if not locks:
        return []
    of_path = {lock.path.encode(): lock for lock in locks}
    changes = _changes(git, moves, judged, tips, list(of_path), lambda path: _lock_of(path, of_path) is not None)
    commits = dict(reversed(changes))  # of several the first
    found = []
    for path, commit in sorted(commits.items()):
        lock = _lock_of(path, of_path)
        assert lock is not None  # or nobody had asked about this path
        since = datetime.fromtimestamp(lock.at / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
        inside = "" if lock.path.encode() == path else f" (the folder {lock.path})"
        found.append(f"{printable(path)}{inside} is locked by {lock.owner} since {since}, and {commit[:12]} changes it.")
    return found


def _changes(
    git: Git,
    moves: Sequence[RefMove],
    judged: Sequence[Move],
    tips: dict[str, str],
    paths: Sequence[bytes],
    concerns: locked_paths.Concerns,
) -> list[locked_paths.Changed]:
    found = list(locked_paths.changed_by_commits(git, [move.commit for move in judged if move.commit], paths, concerns))
    for move, how in zip(moves, judged, strict=True):
        if how.way is Way.FORCE and how.commit and (old := tips[move.old]):
            found += locked_paths.changed_by_move(git, old, how.commit, paths, concerns)
    deleted = [tips[move.old] for move in moves if move.deletes and tips.get(move.old)]
    if deleted:
        after = refs_of(git) | {move.ref: move.new for move in moves}
        staying = [name for name in after.values() if name != _NO_OBJECT]
        found += locked_paths.changed_by_deletion(git, deleted, staying, paths, concerns)
    return found


def _lock_of(path: bytes, locks: dict[bytes, Lock]) -> Lock | None:
    """The lock of this path, or of a folder that it lies in."""
    while path:
        if path in locks:
            return locks[path]
        path = path.rpartition(b"/")[0]
    return None
