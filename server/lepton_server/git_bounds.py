"""Bounds of what the git processes of one request may take of the machine: how they are started so, and ended with all that they started.

Limits of memory and processor time are the kernel's (a shell takes them on before it becomes git, so whatever git starts has them
too), and hold though the server dies. What has run for a while steps back behind what is short: nobody's small push waits for the
processor because somebody's large one, or somebody's attack, keeps it busy.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from typing import NamedTuple

from lepton_server.wording import told

MOST_PUSHED_BYTES = 2 * 1024**3  # of git's own pack in one push: weights do not travel there
_MEMORY = (b"over limit", b"ut of memory", b"malloc", b"mmap", b"unable to create thread")
_LIMITED = 'ulimit -c 0; ulimit -d "$1"; ulimit -t "$2"; shift 2; exec "$@"'
MODEST_AFTER_SECONDS, _MODEST = 1.0, 10
FORCED = getattr(signal, "SIGKILL", signal.SIGTERM)


class Bounds(NamedTuple):
    """`memory`: bytes that one process may allocate; `seconds`: how long git, and the check of a push, may take; `paths`: how many one
    push may change, over all its commits. 0: no bound."""

    memory: int = 384 * 1024 * 1024
    seconds: int = 300
    paths: int = 1_000_000

    def command(self, *arguments: str) -> list[str]:
        """The command, to be run within these bounds."""
        if os.name != "posix":
            return list(arguments)
        limits = (str(limit) if limit else "unlimited" for limit in (self.memory // 1024, self.seconds))
        return ["/bin/sh", "-c", _LIMITED, "lepton-git", *limits, *arguments]

    def environment(self) -> dict[str, str]:
        """What git itself heeds: it then says what it wanted to allocate."""
        return {"GIT_ALLOC_LIMIT": str(self.memory)} if self.memory else {}

    def too_much_memory(self) -> tuple[str, str]:
        """A sentence for who asked for more, and a hint."""
        message = f"git wanted more memory for it than the {told(self.memory)} that one of its processes may have here"
        return message, "Push smaller files or fewer objects at a time, or ask whoever runs the server for a larger --git-memory."

    def too_long(self) -> tuple[str, str]:
        message = f"it kept git busy for more than the {self.seconds} seconds that a push may take here"
        return message, "Push it in parts, or ask whoever runs the server for a larger --git-seconds."

    def too_many_paths(self) -> tuple[str, str]:
        message = f"its commits change more than the {self.paths:,} paths that a push may change here"
        hint = "Push it in parts (git push origin COMMIT:refs/heads/BRANCH), or ask whoever runs the server for a larger --push-paths."
        return message, hint

    def told_of(self, said: bytes) -> str:
        """Why git took the objects of a push not in, by its last words; empty where those say it."""
        if b"exceeds maximum allowed size" in said:
            return f"a push may bring {told(MOST_PUSHED_BYTES)} of git's own objects here; weights do not count, if git-lepton keeps them"
        if lacked_memory(said):
            return ". ".join(self.too_much_memory())
        if b"fatal: " in said or b"error: " in said:
            return ""
        return (
            f"one of git's processes may have {told(self.memory)} of memory and {self.seconds} seconds of processor time here. "
            "Push smaller files or fewer objects at a time, or ask whoever runs the server for a larger --git-memory or --git-seconds."
        )


USUAL = Bounds()
UNBOUNDED = Bounds(0, 0, 0)


def lacked_memory(said: bytes) -> bool:
    """Whether these last words of git's are of one that wanted more than it may have."""
    return any(word in said for word in _MEMORY)


def signal_group(leader: int, how: int) -> bool:
    """Whether anybody of the group that this process leads was there to get the signal."""
    try:
        if os.name == "posix":
            os.killpg(leader, how)
        else:
            os.kill(leader, how)
    except (ProcessLookupError, PermissionError):  # macOS says the latter of a group of zombies
        return False
    return True


def step_back(leader: int) -> None:
    """From now on everybody else's work goes before that of this group, which leads a session too."""
    if os.name != "posix":
        return
    from pathlib import Path  # the hook of a push, which starts with this module, never comes here

    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PGRP, leader, _MODEST)
    with contextlib.suppress(OSError):  # Linux may give each session an equal share, however modest its processes are
        Path(f"/proc/{leader}/autogroup").write_text(str(_MODEST))


class Leash:
    """Around the git processes of one piece of work, from any threads: they end with `cut`."""

    def __init__(self) -> None:
        self._leaders: set[int] = set()
        self._mutex = threading.Lock()
        self._modest = False
        self.is_cut = False

    def hold(self, leader: int) -> None:
        """A process that leads a group of its own."""
        with self._mutex:
            self._leaders.add(leader)
            if self._modest:
                step_back(leader)
            if self.is_cut:
                signal_group(leader, FORCED)

    def let_go(self, leader: int) -> None:
        """Stop holding a process that has ended."""
        with self._mutex:
            self._leaders.discard(leader)

    @contextlib.contextmanager
    def stepping_back(self) -> Iterator[None]:
        """What starts in the block steps back at once."""
        self._modest = True
        try:
            yield
        finally:
            self._modest = False

    def cut(self) -> None:
        """End the processes that are held, and at once any that is held later."""
        with self._mutex:
            self.is_cut = True
            for leader in self._leaders:
                signal_group(leader, FORCED)
