"""A push over HTTP: git takes the objects into quarantine, the desk answers its hook, refs move, the mirror of them follows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO

from sqlalchemy.exc import DBAPIError
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from git_lepton.errors import CorruptData, WrongUse
from lepton_server.content import objects
from lepton_server.database.transactions import Database, is_busy, is_gone
from lepton_server.git import disk_usage, push_answer, ref_mirror, ref_reasons
from lepton_server.git.bare_repositories import settle_head, sweep_quarantines
from lepton_server.git.hook_listener import Desk, open_desk
from lepton_server.git.hook_messages import Found, Order, Question
from lepton_server.git.http_backend import LONGEST_PUSH, BackendResponse, Handling
from lepton_server.git.program import Git
from lepton_server.git.push_report import PushReport
from lepton_server.git.push_rules import PushRules
from lepton_server.git.ref_lock import Turn
from lepton_server.git.refs import RefMove, refs_of
from lepton_server.git.weight_check import StoredSizes
from lepton_server.git_bounds import MODEST_AFTER_SECONDS, USUAL, Bounds
from lepton_server.identity.caller import Caller
from lepton_server.repositories import quotas, registry
from lepton_server.repositories.registry import Repository
from lepton_server.settings import ServerSettings

_MOVE_SECONDS = 60.0  # for refs that may move, though the client went away
_INSIST_SECONDS, _AGAIN_SECONDS = 45.0, 0.5
_LONGEST_REF = 1_000  # an index of PostgreSQL takes no more than some 2,700 bytes
_CLEAN_UP_SECONDS = 2.0  # for git to remove its quarantine; then it is told to, and soon made to end
Mirror = Callable[[Mapping[str, str], str | None], None]
"""Keep these refs (full name, object name) and the branch that HEAD names, or None while it is unborn."""


@dataclass(frozen=True)
class Receiver:
    """What a push to one repository needs to know: where it is, what is stored for it, and who keeps its refs."""

    directory: Path
    stored_sizes: StoredSizes
    mirror: Mirror
    rules: PushRules | None = None  # None: there are none, and nobody keeps notes
    turn: Turn | None = None  # None: nobody else moves refs here
    reasons: dict[str, str] = field(default_factory=dict)  # why refs of this push cannot move; git refuses them, the others land
    bounds: Bounds = USUAL
    too_much: Callable[[int], str] = lambda _: ""  # the text for who pushes so many bytes, empty where there is room for them

    def wait(self) -> None:
        """Wait until no other push of this repository is between its check and the note of what moved. Blocking. Raises RefsBusy."""
        if self.turn:
            self.turn.wait()

    def end(self) -> None:
        """The next push may be checked. Blocking; may be called again."""
        if self.turn:
            self.turn.end()

    def order(self, question: Question) -> Order | str:
        """What the hook is to look at; where it is nothing, the text of a refusal, or none. Blocking. Raises CorruptData, WrongUse,
        Refusal."""
        quarantine = Path(question.quarantine.get("GIT_QUARANTINE_PATH", self.directory))
        if not quarantine.resolve().is_relative_to(self.directory.resolve()):
            raise CorruptData("the hook of a push asked about another repository")
        if any(not move.ref.isprintable() or len(move.ref) > _LONGEST_REF for move in question.moves):
            message = f"a ref of this push has a name that is not printable UTF-8, or of more than {_LONGEST_REF} letters"
            raise WrongUse(message, "Rename it, then push again.")
        self.reasons.update(ref_reasons.reasons(Git(self.directory, question.quarantine, bounds=self.bounds), question.moves))
        if self.reasons.keys() >= {move.ref for move in question.moves}:
            return ref_reasons.refusal_text(self.reasons)
        locks = self.rules.watched(question.moves) if self.rules else None
        if locks is None and all(move.deletes for move in question.moves):
            return ""
        return Order(str(self.directory), self.bounds, None if locks is None else tuple(locks))

    def sizes(self, oids: Sequence[bytes]) -> Mapping[bytes, int]:
        """Sizes by oid of those of these weights that are stored for the repository. Blocking."""
        return self.stored_sizes(oids)

    def verdict(self, question: Question, found: Found) -> str:  # noqa: ARG002 - every judge is asked so; `found` tells this one all
        """The text of a refusal, empty if the rules let the push land, and its turn is not lost. Blocking."""
        refusal = self.rules.verdict(found.judgement) if self.rules else ""
        if not refusal and self.turn:
            self.turn.check()
        return refusal

    def refused(self, question: Question, reason: str) -> None:
        """Note in the audit log why the push was refused. Blocking."""
        if self.rules:
            self.rules.note_refusal(question.moves, reason)

    def settle(self, desk: Desk) -> None:
        """Bring HEAD and the mirror up to date with what is on disk; a database that is gone for a while is waited for. Blocking.

        Where the turn was lost, pushes may end at the same time and write in any order; whoever writes looks again, so the last one
        wrote what is there.
        """
        git = Git(self.directory, bounds=self.bounds)
        if self.rules:
            _insist(partial(self.rules.note_moves, _landed(desk.accepted, refs_of(git))))
        seen = None
        while (now := (refs_of(git), settle_head(git, desk.accepted))) != seen:
            _insist(partial(self.mirror, *now))
            seen = now


def hosted_receiver(
    database: Database, settings: ServerSettings, repository: Repository, directory: Path, caller: Caller
) -> Receiver:
    """The receiver of the caller's push to a hosted repository: weights, rules, refs and quotas are those that the database knows."""
    return Receiver(
        directory,
        partial(objects.sizes_for_push, database, repository),
        partial(_mirror_refs, database, repository, directory),
        PushRules(database, repository, caller),
        Turn(database, settings, repository.id),
        bounds=settings.git_bounds,
        too_much=partial(_quota_refusal, database, repository, directory),
    )


def _mirror_refs(
    database: Database, repository: Repository, directory: Path, refs: Mapping[str, str], branch: str | None
) -> None:
    with database.write() as connection:
        ref_mirror.replace_refs(connection, repository, refs)
        quotas.note_git(connection, repository, disk_usage.stored_bytes(directory))
        if branch is not None:
            registry.set_default_branch(connection, repository, branch)


def _quota_refusal(database: Database, repository: Repository, directory: Path, more: int) -> str:
    """The text for a push of `more` bytes that a quota has no room for; empty where there is room."""
    with database.read() as connection:
        if not quotas.concern(connection, repository):
            return ""
    with database.write() as connection:
        quotas.note_git(connection, repository, disk_usage.stored_bytes(directory))
        return quotas.git_refusal(connection, repository, more)


def _insist(do: Callable[[], None]) -> None:
    """The refs have moved: what the database must know of it gets there, unless it is gone for very long."""
    until = time.monotonic() + _INSIST_SECONDS
    while True:
        try:
            do()
            return
        except DBAPIError as error:
            if not (is_gone(error) or is_busy(error)) or time.monotonic() >= until:
                raise
        time.sleep(_AGAIN_SECONDS)


def _landed(moves: Iterable[RefMove], now: Mapping[str, str]) -> list[RefMove]:
    """Those of the moves that were allowed that git then made: it may have refused some for reasons of its own."""
    return [move for move in moves if now.get(move.ref) == (None if move.deletes else move.new)]


class PushResponse(Response):
    """The answer to a POST of git-receive-pack; the request is kept in a nameless file of `folder` (None: where the system has such), and
    git works on it in a `turn`, and steps back after `modest_after` seconds."""

    def __init__(
        self,
        environment: Mapping[str, str],
        receiver: Receiver,
        folder: Path | None = None,
        turn: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
        modest_after: Callable[[], float] = lambda: MODEST_AFTER_SECONDS,
        came_to_nothing: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__()
        self._environment = environment
        self._receiver = receiver
        self._folder = folder
        self._turn = turn
        self._modest_after = modest_after
        self._came_to_nothing = came_to_nothing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await run_in_threadpool(sweep_quarantines, self._receiver.directory)
        try:
            await self._receive(scope, receive, send)
        finally:
            await run_in_threadpool(self._receiver.end)

    async def _receive(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with open_desk(self._receiver) as desk:

            async def refusal(body: IO[bytes]) -> str:
                size = await run_in_threadpool(push_answer.pack_bytes, body)
                return await run_in_threadpool(self._receiver.too_much, size) if size else ""

            async def finished() -> None:
                if desk.accepted:
                    await run_in_threadpool(self._receiver.settle, desk)
                else:
                    self._came_to_nothing()
                await run_in_threadpool(self._receiver.end)

            def client_left() -> float:
                if desk.accepted:
                    return _MOVE_SECONDS
                desk.withdraw()
                return _CLEAN_UP_SECONDS

            bounds = self._receiver.bounds
            report = PushReport(lambda: self._receiver.reasons, bounds.told_of)
            handling = Handling(
                self._folder, bounds, self._turn, refusal, report, finished, client_left, self._modest_after, LONGEST_PUSH
            )
            await BackendResponse({**self._environment, **desk.environment}, handling)(scope, receive, send)
