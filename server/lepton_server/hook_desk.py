"""Where the pre-receive program of one push asks this server process; open for as long as that push lasts.

The check runs in a thread while the event loop goes on, so a server of one process never waits for itself. Whoever
does not know the secret, or goes away, gets no answer, and without an answer nothing lands.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import os
import secrets
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path

from anyio import CapacityLimiter, to_thread

from git_lepton.errors import LeptonError
from lepton_server import receive_hook
from lepton_server.database import is_busy, is_gone

HOOK = """#!/bin/sh
# Written by lepton-server: asks it whether a push may land.
exec "${LEPTON_HOOK_PYTHON:?this repository takes pushes through lepton-server only}" -I -S "$LEPTON_HOOK_PROGRAM"
"""
_MAX_QUESTION_BYTES = 64 * 1024 * 1024  # some 500,000 refs in one push
_WAITING = 500  # pushes whose objects have come and whose turn has not
_NO_OBJECT = "0" * 40
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RefMove:
    """One line of git's: a ref (its full name) moves from `old` to `new`; forty zeros where there is or will be none."""

    old: str
    new: str
    ref: str

    @property
    def deletes(self) -> bool:
        return self.new == _NO_OBJECT


@dataclass(frozen=True)
class Question:
    """What git is about to do, and the environment in which the pushed objects can be seen."""

    quarantine: dict[str, str]
    moves: tuple[RefMove, ...]


@dataclass
class Desk:
    """One push at the desk: `environment` is for git's process, `accepted` holds the moves once they have been allowed."""

    environment: dict[str, str]
    accepted: tuple[RefMove, ...] = ()
    withdrawn: bool = False
    waiting: set[asyncio.StreamWriter] = field(default_factory=set)

    def withdraw(self) -> None:
        """From now on nothing is accepted; a hook that waits is refused at once. What has been accepted stays so."""
        self.withdrawn = True
        for writer in self.waiting:
            writer.close()


Check = Callable[[Question], str]
"""Blocking: the text of a refusal, empty if the push may land."""

Wait = Callable[[], None]
"""Blocking: until it is this push's turn to be checked. Raises LeptonError where that takes too long."""


@asynccontextmanager
async def open_desk(check: Check, wait: Wait = lambda: None) -> AsyncIterator[Desk]:
    """Listen on a free loopback port for the hook of one push."""
    secret = secrets.token_urlsafe(32)
    desk = Desk({})

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            said, _, question = (await _read_all(reader)).partition(b"\0")
            if hmac.compare_digest(said, secret.encode()) and not desk.withdrawn:
                desk.waiting.add(writer)
                await _answer(wait, check, question, desk, writer)
        except (OSError, ValueError):
            _log.exception("the hook of a push could not be answered")
        finally:
            desk.waiting.discard(writer)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    desk.environment = {
        receive_hook.ADDRESS: f"127.0.0.1:{port}:{secret}",
        "LEPTON_HOOK_PYTHON": sys.executable,
        "LEPTON_HOOK_PROGRAM": str(Path(receive_hook.__file__).resolve()),
    }
    try:
        yield desk
    finally:
        server.close()


async def _read_all(reader: asyncio.StreamReader) -> bytes:
    parts, length = [], 0
    while block := await reader.read(1 << 16):
        parts.append(block)
        length += len(block)
        if length > _MAX_QUESTION_BYTES:
            raise ValueError("the question of a hook is too long")
    return b"".join(parts)


async def _answer(wait: Wait, check: Check, data: bytes, desk: Desk, writer: asyncio.StreamWriter) -> None:
    question = parse_question(data)
    # Whoever waits does nothing, so many may; of the checks, which work, a few run at once.
    refusal = await to_thread.run_sync(_checked, partial(_waited, wait), question, limiter=_waiting_room())
    if not refusal and not desk.withdrawn:
        refusal = await asyncio.to_thread(_checked, check, question)
    if desk.withdrawn:
        return
    if not refusal:
        desk.accepted = question.moves
    writer.write(b"-" + refusal.encode() if refusal else b"+")
    await writer.drain()


def _waited(wait: Wait, _question: Question) -> str:
    wait()
    return ""


@cache
def _waiting_room() -> CapacityLimiter:
    return CapacityLimiter(_WAITING)


def _checked(check: Check, question: Question) -> str:
    try:
        return check(question)
    except LeptonError as error:
        _log.warning("a push was refused: %s", error)
        return f"lepton: this push was refused: {error.message}\n{error.hint}\n"
    except Exception as error:
        if is_gone(error) or is_busy(error):
            _log.warning("a push was refused: the database cannot be had")
            return "lepton: this push was refused: the server cannot reach its database. Push again in a while.\n"
        _log.exception("the check of a push failed")
        return "lepton: this push was refused: the server failed to check it; its log says why.\n"


def parse_question(data: bytes) -> Question:
    """What the hook sent after the secret. Raises ValueError."""
    *values, lines = data.split(b"\0", len(receive_hook.QUARANTINE))
    quarantine = {name: os.fsdecode(value) for name, value in zip(receive_hook.QUARANTINE, values, strict=True) if value}
    rows = [os.fsdecode(line).split(" ", 2) for line in lines.splitlines()]
    return Question(quarantine, tuple(RefMove(old, new, ref) for old, new, ref in rows))
