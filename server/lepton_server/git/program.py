"""Every call of the git program on the server: found once, run with an environment built from scratch.

Nothing of the server's own environment, of a home folder or of system-wide git settings reaches git; what git may do is said in
`SETTINGS`, which no repository and no user can change.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, NamedTuple

from git_lepton.errors import LeptonError, WrongUse
from lepton_server.git_bounds import FORCED, MOST_PUSHED_BYTES, UNBOUNDED, Bounds, Leash, signal_group

SETTINGS = {
    "safe.directory": "*",
    "http.receivepack": "true",
    "http.getanyfile": "false",
    "uploadpack.allowFilter": "true",
    "uploadpackfilter.sparse:oid.allow": "false",  # patterns times paths: any reader could keep a core busy with it
    "uploadpack.allowAnySHA1InWant": "true",  # a promisor fetch of a protocol v0 client; v2 allows it anyway
    "receive.advertisePushOptions": "true",
    "receive.fsckObjects": "true",
    "receive.fsck.gitattributesSymlink": "error",  # clients differ in whether they read one
    "receive.fsck.badTimezone": "ignore",  # old, harmless sins of real histories
    "receive.fsck.missingSpaceBeforeDate": "ignore",
    "receive.fsck.zeroPaddedFilemode": "ignore",
    "receive.maxInputSize": str(MOST_PUSHED_BYTES),
    "receive.autogc": "false",
    "receive.denyDeleteCurrent": "refuse",  # as it would anyway, but without advice to whom it is no use
    "gc.auto": "0",
    "maintenance.auto": "false",
    "core.fsync": "all",
    "core.ignoreCase": "false",  # attributes mean the same on every server
    "core.bigFileThreshold": "16m",  # what is larger git reads piece by piece, and never as a whole
    "core.deltaBaseCacheLimit": "32m",
    "core.packedGitWindowSize": "32m",
    "core.packedGitLimit": "128m",
    "core.maxTreeDepth": "1024",
    "pack.threads": str(min(os.cpu_count() or 1, 2)),
    "pack.windowMemory": "32m",
    "pack.deltaCacheSize": "32m",
    "transfer.hideRefs": "refs/lepton",
}
_LONGEST_SECONDS = 900
_KEPT = ("PATH", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "COMSPEC", "PATHEXT")


class GitMissing(WrongUse):
    """The server needs the git program to host git, and it is not there."""


class GitFailed(LeptonError):
    """A call of the git program ended with an error."""


def git_program() -> str:
    """The path of the git program. Raises GitMissing."""
    program = shutil.which("git")
    if program is None:
        raise GitMissing(
            "the git program is not installed on the server, so it cannot host git repositories",
            "Install git 2.36 or newer where lepton-server runs.",
        )
    return program


def git_environment(settings: Mapping[str, str] = SETTINGS) -> dict[str, str]:
    """The whole environment of a git process: what the system needs, no home, and these git settings in command scope."""
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    environment |= {
        "HOME": os.devnull,
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",  # refs/replace must not show us another history than the one that lands
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_COUNT": str(len(settings)),
    }
    for index, (key, value) in enumerate(settings.items()):
        environment[f"GIT_CONFIG_KEY_{index}"] = key
        environment[f"GIT_CONFIG_VALUE_{index}"] = value
    return environment


class GitTooLong(GitFailed):
    """A call of the git program took too long and was ended."""


class Git(NamedTuple):
    """The git program on one bare repository. `extra` is added to the environment, such as a push's quarantine. With a `leash` each call
    is a process group of its own, which that may end; without, it is one of ours."""

    directory: str | os.PathLike[str]
    extra: Mapping[str, str] = {}
    settings: Mapping[str, str] = SETTINGS
    bounds: Bounds = UNBOUNDED
    leash: Leash | None = None

    def run(
        self,
        *arguments: str | bytes,
        stdin: bytes = b"",
        extra: Mapping[str, str] | None = None,
        expected: Collection[int] = (0,),
    ) -> bytes:
        """What git prints. Raises GitFailed unless it exits with a status that is `expected`, within its bounds."""
        seconds = self.bounds.seconds or _LONGEST_SECONDS
        with self._started(arguments, extra, subprocess.PIPE, subprocess.PIPE) as process:
            try:
                printed, complaint = process.communicate(stdin, seconds)
            except subprocess.TimeoutExpired as error:
                self._end(process)
                raise GitTooLong(f"git {arguments[0]!s} took more than {seconds} seconds") from error
        if process.returncode not in expected:
            raise _failure(arguments, process.returncode, complaint)
        return printed

    @contextmanager
    def stream(self, *arguments: str | bytes, stdin: IO[bytes] | int = subprocess.DEVNULL) -> Iterator[IO[bytes]]:
        """A stream of what git prints, however long; read it to its end. Raises GitFailed then if git failed."""
        with tempfile.TemporaryFile() as complaint:
            with self._started(arguments, None, stdin, complaint) as process:
                assert process.stdout is not None
                try:
                    yield process.stdout
                except BaseException:
                    self._end(process)
                    raise
                finally:
                    process.stdout.close()
                    process.wait()
            if process.returncode:
                complaint.seek(0)
                raise _failure(arguments, process.returncode, complaint.read())

    @contextmanager
    def _started(
        self, arguments: Sequence[str | bytes], extra: Mapping[str, str] | None, stdin: IO[bytes] | int, stderr: IO[bytes] | int
    ) -> Iterator[subprocess.Popen[bytes]]:
        if self.leash and self.leash.is_cut:
            raise GitFailed(f"git {arguments[0]!s} was not started: what it was for has ended")
        process = subprocess.Popen(
            self._command(arguments),
            env=self._environment(extra),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=self.leash is not None,
        )
        if self.leash:
            self.leash.hold(process.pid)
        try:
            yield process
        finally:
            if self.leash:
                self.leash.let_go(process.pid)

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        if self.leash:
            signal_group(process.pid, FORCED)
        process.kill()
        process.wait()

    def _command(self, arguments: Sequence[str | bytes]) -> list[str]:
        command = [git_program(), "--git-dir", str(self.directory), *map(os.fsdecode, arguments)]
        return command if self.bounds == UNBOUNDED else self.bounds.command(*command)

    def _environment(self, extra: Mapping[str, str] | None) -> dict[str, str]:
        return (
            git_environment(self.settings)
            | {"GIT_OPTIONAL_LOCKS": "0"}
            | self.bounds.environment()
            | dict(self.extra)
            | dict(extra or {})
        )


def _failure(arguments: Sequence[str | bytes], status: int, complaint: bytes) -> GitFailed:
    said = complaint.decode("utf-8", "replace").strip().splitlines()[-1:] or ["it said nothing"]
    return GitFailed(f"git {arguments[0]!s} ended with status {status}: {said[0]}", "The server's log says more.")
