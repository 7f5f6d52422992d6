"""One push over HTTP: git takes the objects into quarantine, the desk answers its hook, refs move, the mirror follows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy.exc import DBAPIError
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from git_lepton.errors import CorruptData, LeptonError, WrongUse
from lepton_server.completeness import StoredSizes, check_push
from lepton_server.database import is_busy, is_gone
from lepton_server.git_hosting import refs_of, settle_head, sweep_quarantines
from lepton_server.git_program import Git
from lepton_server.hook_desk import Desk, Question, RefMove, open_desk
from lepton_server.http_backend import BackendResponse
from lepton_server.push_rules import PushRules
from lepton_server.ref_turns import Turn

_MOVE_SECONDS = 60.0  # for refs that may move, though the client went away
_INSIST_SECONDS, _AGAIN_SECONDS = 45.0, 0.5
_LONGEST_REF = 1_000  # an index of PostgreSQL takes no more than some 2,700 bytes
_CLEAN_UP_SECONDS = 10.0  # for git to remove its quarantine
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

    def wait(self) -> None:
        """Until no other push of this repository is between its check and the note of what moved. Blocking. Raises RefsBusy."""
        if self.turn:
            self.turn.wait()

    def end(self) -> None:
        """The next push may be checked. Blocking; may be called again."""
        if self.turn:
            self.turn.end()

    def check(self, question: Question) -> str:
        """The text of a refusal, empty if all weights of this push are here and the rules let it land. Blocking."""
        try:
            refusal = self._judged(question)
        except LeptonError as error:
            if self.rules:
                self.rules.note_refusal(question.moves, error.message)
            raise
        if refusal and self.rules:
            self.rules.note_refusal(question.moves, refusal)
        if not refusal and self.turn:
            self.turn.check()
        return refusal

    def _judged(self, question: Question) -> str:
        quarantine = Path(question.quarantine.get("GIT_QUARANTINE_PATH", self.directory))
        if not quarantine.resolve().is_relative_to(self.directory.resolve()):
            raise CorruptData("the hook of a push asked about another repository")
        if any(not move.ref.isprintable() or len(move.ref) > _LONGEST_REF for move in question.moves):
            message = f"a ref of this push has a name that is not printable UTF-8, or of more than {_LONGEST_REF} letters"
            raise WrongUse(message, "Rename it, then push again.")
        git = Git(self.directory, question.quarantine)
        tips = [move.new for move in question.moves if not move.deletes]
        refusal = check_push(git, tips, self.stored_sizes).text() if tips else ""
        return refusal or (self.rules.refusal(git, question.moves) if self.rules else "")

    def settle(self, desk: Desk) -> None:
        """Bring HEAD and the mirror up to date with what is on disk; a database that is gone for a while is waited for. Blocking.

        Where the turn was lost, pushes may end at the same time and write in any order; whoever writes looks again, so the last one
        wrote what is there.
        """
        git = Git(self.directory)
        if self.rules:
            _insist(partial(self.rules.note_moves, _landed(desk.accepted, refs_of(git))))
        seen = None
        while (now := (refs_of(git), settle_head(git, desk.accepted))) != seen:
            _insist(partial(self.mirror, *now))
            seen = now


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
    """The answer to a POST of git-receive-pack."""

    def __init__(self, environment: Mapping[str, str], receiver: Receiver) -> None:
        super().__init__()
        self._environment = environment
        self._receiver = receiver

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await run_in_threadpool(sweep_quarantines, self._receiver.directory)
        try:
            await self._receive(scope, receive, send)
        finally:
            await run_in_threadpool(self._receiver.end)

    async def _receive(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with open_desk(self._receiver.check, self._receiver.wait) as desk:

            async def finished() -> None:
                if desk.accepted:
                    await run_in_threadpool(self._receiver.settle, desk)
                await run_in_threadpool(self._receiver.end)

            def client_left() -> float:
                if desk.accepted:
                    return _MOVE_SECONDS
                desk.withdraw()
                return _CLEAN_UP_SECONDS

            backend = BackendResponse({**self._environment, **desk.environment}, finished, client_left)
            await backend(scope, receive, send)
