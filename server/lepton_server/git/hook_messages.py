"""Messages between the hook of a push and the server, besides the first word and the last: the question, the order, what was found."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from lepton_server.git.push_facts import NOTHING_TO_JUDGE, HeldPath, Judgement
from lepton_server.git.refs import RefMove
from lepton_server.git_bounds import Bounds
from lepton_server.protection.moves import Move, Way

NOT_STORED = (1 << 64) - 1


class Question(NamedTuple):
    """What git is about to do, and the environment in which the pushed objects can be seen."""

    quarantine: dict[str, str]
    moves: tuple[RefMove, ...]


def parse_question(data: bytes, variables: Sequence[str]) -> Question:
    """The question that the hook sent after the secret: the values of these environment variables, then git's lines. Raises ValueError."""
    *values, lines = data.split(b"\0", len(variables))
    quarantine = {name: os.fsdecode(value) for name, value in zip(variables, values, strict=True) if value}
    rows = [os.fsdecode(line).split(" ", 2) for line in lines.splitlines()]
    return Question(quarantine, tuple(RefMove(old, new, ref) for old, new, ref in rows))


class Order(NamedTuple):
    """What the hook is to look at: the repository, within which bounds, and other people's locks, None where no rule and no lock is
    to be looked at."""

    directory: str
    bounds: Bounds
    locks: tuple[HeldPath, ...] | None = None

    def encode(self) -> bytes:
        locks = None if self.locks is None else [lock._asdict() for lock in self.locks]
        return json.dumps({"directory": self.directory, "bounds": self.bounds._asdict(), "locks": locks}).encode()


def parse_order(data: bytes) -> Order:
    said = json.loads(data)
    locks = None if said["locks"] is None else tuple(HeldPath(**lock) for lock in said["locks"])
    return Order(said["directory"], Bounds(**said["bounds"]), locks)


class Found(NamedTuple):
    """What the hook found: the text of a refusal (empty: none), and how refs move where that was asked."""

    refusal: str = ""
    judgement: Judgement = NOTHING_TO_JUDGE

    def encode(self) -> bytes:
        moves = [(move.ref, move.way.value, move.commit) for move in self.judgement.moves]
        return b"=" + json.dumps({"refusal": self.refusal, "moves": moves, "locked": self.judgement.locked}).encode()


def parse_found(data: bytes) -> Found:
    """What the hook says that it found. Raises ValueError, KeyError or TypeError."""
    said = json.loads(data.removeprefix(b"="))
    moves = tuple(Move(ref, Way(way), commit) for ref, way, commit in said["moves"])
    return Found(str(said["refusal"]), Judgement(moves, tuple(map(str, said["locked"]))))


def sizes_question(oids: Iterable[bytes]) -> bytes:
    return b"?" + b"".join(oids)


def asked_oids(data: bytes) -> list[bytes]:
    return [data[start : start + 32] for start in range(1, len(data), 32)]


def sizes_answer(oids: Iterable[bytes], stored: Mapping[bytes, int]) -> bytes:
    return b"=" + b"".join(stored.get(oid, NOT_STORED).to_bytes(8, "big") for oid in oids)


def parse_sizes(oids: list[bytes], data: bytes) -> dict[bytes, int]:
    """The sizes by oid that the server answered. Raises ValueError where that is no answer to this question."""
    if len(data) != 1 + 8 * len(oids):
        raise ValueError("the server has hung up, or could not find out")
    sizes = (int.from_bytes(data[start : start + 8], "big") for start in range(1, len(data), 8))
    return {oid: size for oid, size in zip(oids, sizes, strict=True) if size != NOT_STORED}
