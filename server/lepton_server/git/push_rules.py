"""The check of a push against the rules of branches and tags, and other people's locks; and the notes of what it moved.

The rules, the pusher's role and the locks are those of the moment in which git asks, not of the one in which the push began.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from lepton_server.database.transactions import Database
from lepton_server.git import ref_history
from lepton_server.git.program import Git
from lepton_server.git.push_facts import HeldPath, Judgement, judge
from lepton_server.git.refs import NO_OBJECT, RefMove
from lepton_server.identity import audit_log, tokens
from lepton_server.identity.authentication import unauthenticated
from lepton_server.identity.caller import NO_SCOPES, Caller
from lepton_server.protection import commit_checks, decision
from lepton_server.protection.branch_rules import Rule, rules_of
from lepton_server.protection.path_locks import Lock, locks_of
from lepton_server.repositories import registry
from lepton_server.repositories.permissions import Action, require
from lepton_server.repositories.registry import Repository
from lepton_server.wording import printable

_MOST_REFUSALS_NOTED = 20


@dataclass(frozen=True)
class PushRules:
    """The rules for one push of `caller` to `repository`."""

    database: Database
    repository: Repository
    caller: Caller

    def refusal(self, git: Git, moves: Sequence[RefMove]) -> str:
        """The text for the person who pushes; empty if the refs may move. `git` sees the push's quarantine. Raises as `watched` and
        `judge`."""
        locks = self.watched(moves)
        return "" if locks is None else self.verdict(judge(git, moves, locks))

    def watched(self, moves: Sequence[RefMove]) -> list[HeldPath] | None:
        """Other people's locks; None where no rule and no lock has to be looked at. Raises Refusal where the pusher may write no longer:
        the right was taken back, the token revoked or out of date, the account disabled."""
        _, rules, foreign = self._now()
        return self._held(foreign, moves) if rules or foreign else None

    def _held(self, locks: Sequence[Lock], moves: Sequence[RefMove]) -> list[HeldPath]:
        """These locks, with what refs that the moves make again named when they were deleted under them."""
        made = {_printable(move): move.ref for move in moves if move.old == NO_OBJECT} if locks else {}
        with self.database.read() as connection:
            since = min((lock.at for lock in locks), default=0)
            gone = ref_history.deleted_since(connection, self.repository, made, since)
        held = []
        for lock in locks:
            under = {name: ref for name, ref in gone.items() if lock.at <= ref.at and lock.owner != ref.by}
            held.append(HeldPath(lock.path, lock.owner, lock.at, {made[name]: ref.target for name, ref in under.items()}))
        return held

    def verdict(self, found: Judgement) -> str:
        """The text of a refusal, empty if the refs may move. Raises as `watched`."""
        role, rules, _ = self._now()
        with self.database.read() as connection:
            outcomes = commit_checks.last_outcomes(connection, self.repository, decision.needed_evidence(found.moves, rules))
        return decision.refusal_text(decision.refused(found.moves, rules, role, outcomes) + list(found.locked))

    def _now(self) -> tuple[str, list[Rule], list[Lock]]:
        """The pusher's role, the rules, and the locks of others."""
        with self.database.read() as connection:
            caller = tokens.caller_now(connection, self.caller.account, self.caller.token)
            if caller.scopes == NO_SCOPES:
                raise unauthenticated("This token is not valid any longer.")
            repository = registry.by_id(connection, self.repository.id)  # it may be deleted by now
            role = require(connection, caller, repository, Action.WRITE)
            foreign = [lock for lock in locks_of(connection, self.repository) if lock.account != self.caller.account]
            return role, list(rules_of(connection, self.repository)), foreign

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
        ref = _printable(move)
        name = self.repository.full_name
        audit_log.note(connection, self.caller, action, repository=name, subject=ref, old=move.old, new=move.new, **detail)


def _printable(move: RefMove) -> str:
    """The name of the ref as the audit log has it."""
    return printable(move.ref.encode("utf-8", "surrogateescape"))
