"""The examination of a push: its hook, in a process of its own, looks through all that the push brings.

However much that is, it takes nothing from the server but look-ups: time, memory and processor are those of one push, and end with it.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import FrameType

from git_lepton.errors import LeptonError
from lepton_server.git.hook_messages import Found, Order, Question, parse_order, parse_question, parse_sizes, sizes_question
from lepton_server.git.program import Git, GitTooLong
from lepton_server.git.push_facts import judge
from lepton_server.git.weight_check import check_push
from lepton_server.git_bounds import Bounds, lacked_memory

_ASKED_AT_ONCE = 20_000


class TooLong(LeptonError):
    """The time of this push is over."""


def examined(order: bytes, question: bytes, variables: Sequence[str], ask: Callable[[bytes], bytes]) -> bytes:
    """The answer to the server's order, found out under its bounds. `question`: what the hook asked, of which the values of these
    environment `variables` are a part. `ask`: how the server is asked which weights are stored."""
    wanted = parse_order(order)
    try:
        with _within(wanted.bounds):
            return _found(wanted, parse_question(question, variables), ask).encode()
    except MemoryError:
        refusal = refusal_of(*wanted.bounds.too_much_memory())
    except GitTooLong:
        refusal = refusal_of(*wanted.bounds.too_long())
    except LeptonError as error:
        why = wanted.bounds.too_much_memory() if lacked_memory(error.message.encode()) else (error.message, error.hint)
        refusal = refusal_of(*why)
    except ValueError:  # the server knows why
        refusal = "-"
    return Found(refusal).encode()


def refusal_of(message: str, hint: str) -> str:
    """What the person who pushes reads."""
    return f"lepton: this push was refused: {message}\n{hint}\n"


def _found(order: Order, question: Question, ask: Callable[[bytes], bytes]) -> Found:
    def stored_sizes(oids: Iterable[bytes]) -> Mapping[bytes, int]:
        names = list(oids)
        sizes: dict[bytes, int] = {}
        for start in range(0, len(names), _ASKED_AT_ONCE):
            some = names[start : start + _ASKED_AT_ONCE]
            sizes |= parse_sizes(some, ask(sizes_question(some)))
        return sizes

    git = Git(order.directory, question.quarantine, bounds=order.bounds)
    tips = [move.new for move in question.moves if not move.deletes]
    refusal = check_push(git, tips, stored_sizes, bounds=order.bounds).text() if tips else ""
    if refusal or order.locks is None:
        return Found(refusal)
    return Found("", judge(git, question.moves, order.locks))


@contextlib.contextmanager
def _within(bounds: Bounds) -> Iterator[None]:
    """Raise TooLong in the block when the time of these bounds is over."""

    def over(_signal: int, _frame: FrameType | None) -> None:
        raise TooLong(*bounds.too_long())

    if bounds.seconds and hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, over)
        signal.setitimer(signal.ITIMER_REAL, bounds.seconds)
    try:
        yield
    finally:
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)
