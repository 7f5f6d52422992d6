"""The listener for one push's pre-receive program in the server process; open for as long as that push lasts.

The hook itself looks through what the push brings; here it learns what to look at, which weights are stored, and whether the refs may
move. Whoever does not know the secret, or goes away, gets no answer, and without an answer nothing lands.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import os
import secrets
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Protocol, TypeVar

from anyio import CapacityLimiter, to_thread

from git_lepton import errors
from git_lepton.errors import LeptonError
from git_lepton.format.visible import visible
from lepton_server.database.transactions import is_busy, is_gone
from lepton_server.git import pre_receive
from lepton_server.git.hook_messages import Found, Order, Question, asked_oids, parse_found, parse_question, sizes_answer
from lepton_server.git.push_examination import refusal_of
from lepton_server.git.refs import RefMove

HOOK = """#!/bin/sh
# Written by lepton-server: asks it whether a push may land.
exec "${LEPTON_HOOK_PYTHON:?this repository takes pushes through lepton-server only}" -I -S "$LEPTON_HOOK_PROGRAM"
"""
_MAX_QUESTION_BYTES = 64 * 1024 * 1024  # some 500,000 refs in one push
_WAITING = 500  # pushes whose objects have come and whose turn has not
_LOOKING = 8  # questions of pushes to the database at once
_log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass
class Desk:
    """One push at the desk: `environment` is for git's process, `accepted` holds the moves once they have been allowed."""

    environment: dict[str, str]
    accepted: tuple[RefMove, ...] = ()
    withdrawn: bool = False
    waiting: set[asyncio.StreamWriter] = field(default_factory=set)

    def withdraw(self) -> None:
        """Accept nothing from now on, and refuse a hook that waits at once. What has been accepted stays so."""
        self.withdrawn = True
        for writer in self.waiting:
            writer.close()


class Judge(Protocol):
    """Who decides about one push. All block."""

    def wait(self) -> None:
        """Wait until it is this push's turn to be looked at. Raises LeptonError where that takes too long."""

    def order(self, question: Question) -> Order | str:
        """What the hook is to look at; where it is nothing, the text of a refusal, or none. Raises LeptonError where the push may not
        land anyway."""

    def sizes(self, oids: Sequence[bytes]) -> Mapping[bytes, int]:
        """Sizes in bytes of those of these weights (oids of 32 raw bytes) that are stored."""

    def verdict(self, question: Question, found: Found) -> str:
        """The text of a refusal, empty if the push may land. Raises LeptonError likewise."""

    def refused(self, question: Question, reason: str) -> None:
        """Keep a note of that."""


@asynccontextmanager
async def open_desk(judge: Judge) -> AsyncIterator[Desk]:
    """Listen on a free loopback port for the hook of one push."""
    secret = secrets.token_urlsafe(32)
    desk = Desk({})

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            said = await _heard(reader, len(secret))
            if hmac.compare_digest(said, secret.encode()) and not desk.withdrawn:
                desk.waiting.add(writer)
                await _answer(judge, desk, reader, writer)
        except (OSError, ValueError, asyncio.IncompleteReadError):
            if not desk.withdrawn:
                _log.warning("the hook of a push hung up, or asked what nobody understands")
        finally:
            desk.waiting.discard(writer)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    desk.environment = {
        pre_receive.ADDRESS: f"127.0.0.1:{port}:{secret}",
        pre_receive.PROGRAM_PATH: os.pathsep.join(_program_path()),
        "LEPTON_HOOK_PYTHON": sys.executable,
        "LEPTON_HOOK_PROGRAM": str(Path(pre_receive.__file__).resolve()),
    }
    try:
        yield desk
    finally:
        server.close()


@cache
def _program_path() -> list[str]:
    """The folders in which the hook finds what it loads of this program."""
    return list(
        dict.fromkeys(
            str(path)
            for path in (Path(pre_receive.__file__).resolve().parents[2], Path(str(errors.__file__)).resolve().parents[1])
        )
    )


async def _heard(reader: asyncio.StreamReader, most: int) -> bytes:
    """The hook's next frame. Raises ValueError where it is longer than `most`, IncompleteReadError where none comes."""
    length = int.from_bytes(await reader.readexactly(4), "big")
    if length > most:
        raise ValueError("the question of a hook is too long")
    return await reader.readexactly(length)


async def _say(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(len(data).to_bytes(4, "big") + data)
    await writer.drain()


async def _answer(judge: Judge, desk: Desk, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    question = parse_question(await _heard(reader, _MAX_QUESTION_BYTES), pre_receive.QUARANTINE)
    refusal = ""

    async def told(do: Callable[[], T], limiter: CapacityLimiter) -> T | None:
        nonlocal refusal
        done, refusal = await to_thread.run_sync(_tried, do, limiter=limiter)
        return done

    # Whoever waits does nothing, so many may.
    await told(judge.wait, _waiting_room())
    order = None if refusal else await told(partial(judge.order, question), _looking())
    found = Found()
    if isinstance(order, str):
        refusal = order
    elif order:
        await _say(writer, order.encode())
        while (said := await _heard(reader, _MAX_QUESTION_BYTES))[:1] == b"?":
            oids = asked_oids(said)
            sizes = await told(partial(judge.sizes, oids), _looking())
            await _say(writer, b"-" if sizes is None else sizes_answer(oids, sizes))
        found = parse_found(said)
    if not refusal:
        refusal = found.refusal or await told(partial(judge.verdict, question, found), _looking()) or refusal
    if desk.withdrawn:
        return
    if refusal:
        await to_thread.run_sync(_noted, judge, question, refusal, limiter=_looking())
    else:
        desk.accepted = question.moves
    await _say(writer, b"-" + "\n".join(map(visible, refusal.split("\n"))).encode() if refusal else b"+")


@cache
def _waiting_room() -> CapacityLimiter:
    return CapacityLimiter(_WAITING)


@cache
def _looking() -> CapacityLimiter:
    """Threads of their own for what pushes look up: nobody's transfer waits for them."""
    return CapacityLimiter(_LOOKING)


def _tried(do: Callable[[], T]) -> tuple[T | None, str]:
    """What that gives, and the text of a refusal where it fails."""
    try:
        return do(), ""
    except LeptonError as error:
        _log.warning("a push was refused: %s", error)
        return None, refusal_of(error.message, error.hint)
    except Exception as error:
        if is_gone(error) or is_busy(error):
            _log.warning("a push was refused: the database cannot be had")
            return None, "lepton: this push was refused: the server cannot reach its database. Push again in a while.\n"
        _log.exception("the check of a push failed")
        return None, "lepton: this push was refused: the server failed to check it; its log says why.\n"


def _noted(judge: Judge, question: Question, refusal: str) -> None:
    try:
        judge.refused(question, refusal)
    except Exception:
        _log.exception("the refusal of a push could not be noted")
