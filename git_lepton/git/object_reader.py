"""The reader of many small objects of a repository by name, over two git processes that stay open."""

from __future__ import annotations

import contextlib
import os
from typing import NamedTuple

from git_lepton.git.program import git_failed
from git_lepton.git.repository import GitRepository

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_NO_FETCH = {"GIT_NO_LAZY_FETCH": "1"}  # a partial clone asks its promisor for nothing that is only looked up


class SmallObject(NamedTuple):
    """A blob or a tree: its hex name, git's word for its kind, its bytes ("" for one that is too long to be read)."""

    name: str
    kind: str
    data: bytes


class ObjectReader:
    """Looks up names as git understands them: `HEAD:path`, `:path`, hex digits. Nothing is started before the first question.

    One thread at a time. Use it as a context manager, or close it.
    """

    def __init__(self, git: GitRepository) -> None:
        self._git = git
        self._checking: _Conversation | None = None
        self._reading: _Conversation | None = None

    def read(self, names: Sequence[str], longest: int) -> dict[str, SmallObject]:
        """What of these names is here. Of objects longer than `longest` bytes, and of trees, the bytes are left out.

        Raises GitFailed.
        """
        found = {}
        for name in names:
            fields = self._look_up(name).split(" ") if "\n" not in name else []
            if len(fields) == 3 and fields[2].isdigit():
                wanted = fields[1] == "blob" and int(fields[2]) <= longest
                found[name] = SmallObject(fields[0], fields[1], self._content(fields[0]) if wanted else b"")
        return found

    def close(self) -> None:
        """End the two processes."""
        for conversation in (self._checking, self._reading):
            if conversation:
                conversation.end()
        self._checking = self._reading = None

    def __enter__(self) -> ObjectReader:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _look_up(self, name: str) -> str:
        if self._checking is None:
            self._checking = _Conversation(self._git, "--batch-check")
        return os.fsdecode(self._checking.ask(os.fsencode(name)))

    def _content(self, name: str) -> bytes:
        if self._reading is None:
            self._reading = _Conversation(self._git, "--batch")
        fields = self._reading.ask(name.encode()).split(b" ")
        return self._reading.take(int(fields[2])) if len(fields) == 3 else b""


class _Conversation:
    """`git cat-file`, one name at a time, so that neither side ever waits for the other to read."""

    def __init__(self, git: GitRepository, how: str) -> None:
        self._process = git.start("cat-file", how, environment=_NO_FETCH)

    def ask(self, name: bytes) -> bytes:
        """The line that answers a name, without its end. Raises GitFailed where git is gone."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(name + b"\n")
            process.stdin.flush()
        line = process.stdout.readline()
        if not line.endswith(b"\n"):
            said = process.stderr.read().decode("utf-8", "replace") if process.stderr else ""
            raise git_failed(("cat-file",), process.wait(), said)
        return line[:-1]

    def take(self, length: int) -> bytes:
        """The bytes that follow an answer, without the line end after them."""
        return self._process.stdout.read(length + 1)[:-1] if self._process.stdout else b""

    def end(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._process.communicate()
