"""One push over HTTP: git takes the objects into quarantine, the desk answers its hook, refs move, the mirror follows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from git_lepton.errors import CorruptData, WrongUse
from lepton_server.completeness import StoredSizes, check_push
from lepton_server.git_hosting import refs_of, settle_head, sweep_quarantines
from lepton_server.git_program import Git
from lepton_server.hook_desk import Desk, Question, open_desk
from lepton_server.http_backend import BackendResponse

_MOVE_SECONDS = 60.0  # for refs that may move, though the client went away
_CLEAN_UP_SECONDS = 10.0  # for git to remove its quarantine
Mirror = Callable[[Mapping[str, str], str | None], None]
"""Keep these refs (full name, object name) and the branch that HEAD names, or None while it is unborn."""


@dataclass(frozen=True)
class Receiver:
    """What a push to one repository needs to know: where it is, what is stored for it, and who keeps its refs."""

    directory: Path
    stored_sizes: StoredSizes
    mirror: Mirror

    def check(self, question: Question) -> str:
        """The text of a refusal, empty if all weights of this push are here. Blocking."""
        quarantine = Path(question.quarantine.get("GIT_QUARANTINE_PATH", self.directory))
        if not quarantine.resolve().is_relative_to(self.directory.resolve()):
            raise CorruptData("the hook of a push asked about another repository")
        if any(not move.ref.isprintable() for move in question.moves):
            raise WrongUse("a ref of this push has a name that is not printable UTF-8", "Rename it, then push again.")
        tips = [move.new for move in question.moves if not move.deletes]
        return check_push(Git(self.directory, question.quarantine), tips, self.stored_sizes).text() if tips else ""

    def settle(self, desk: Desk) -> None:
        """Bring HEAD and the mirror up to date with what is on disk. Blocking.

        Pushes that end at the same time may write in any order; whoever writes looks again, so the last one wrote what is there.
        """
        git = Git(self.directory)
        seen = None
        while (now := (refs_of(git), settle_head(git, desk.accepted))) != seen:
            self.mirror(*now)
            seen = now


class PushResponse(Response):
    """The answer to a POST of git-receive-pack."""

    def __init__(self, environment: Mapping[str, str], receiver: Receiver) -> None:
        super().__init__()
        self._environment = environment
        self._receiver = receiver

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await run_in_threadpool(sweep_quarantines, self._receiver.directory)
        async with open_desk(self._receiver.check) as desk:

            async def finished() -> None:
                if desk.accepted:
                    await run_in_threadpool(self._receiver.settle, desk)

            def client_left() -> float:
                if desk.accepted:
                    return _MOVE_SECONDS
                desk.withdraw()
                return _CLEAN_UP_SECONDS

            backend = BackendResponse({**self._environment, **desk.environment}, finished, client_left)
            await backend(scope, receive, send)
