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
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from git_lepton.errors import LeptonError, WrongUse

MAX_PACK_INPUT_BYTES = 2 * 1024**3  # of git's own pack in one push: weights do not travel there
SETTINGS = {
    "safe.directory": "*",
    "http.receivepack": "true",
    "http.getanyfile": "false",
    "uploadpack.allowFilter": "true",
    "uploadpack.allowAnySHA1InWant": "true",  # a promisor fetch of a protocol v0 client; v2 allows it anyway
    "receive.advertisePushOptions": "true",
    "receive.fsckObjects": "true",
    "receive.fsck.gitattributesSymlink": "error",  # clients differ in whether they read one
    "receive.fsck.badTimezone": "ignore",  # old, harmless sins of real histories
    "receive.fsck.missingSpaceBeforeDate": "ignore",
    "receive.fsck.zeroPaddedFilemode": "ignore",
    "receive.maxInputSize": str(MAX_PACK_INPUT_BYTES),
    "receive.autogc": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "core.fsync": "all",
    "core.ignoreCase": "false",  # attributes mean the same on every server
    "transfer.hideRefs": "refs/lepton",
}
_LONGEST_SECONDS = 900  # attribute patterns can be made to take for ever
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


@dataclass(frozen=True)
class Git:
    """The git program on one bare repository. `extra` is added to the environment, such as a push's quarantine."""

    directory: Path
    extra: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=SETTINGS.copy)

    def run(
        self,
        *arguments: str | bytes,
        stdin: bytes = b"",
        extra: Mapping[str, str] | None = None,
        expected: Collection[int] = (0,),
    ) -> bytes:
        """What git prints. Raises GitFailed unless it exits with a status that is `expected`, within `_LONGEST_SECONDS`."""
        command, environment = self._command(arguments), self._environment(extra)
        try:
            done = subprocess.run(
                command, env=environment, capture_output=True, check=False, input=stdin, timeout=_LONGEST_SECONDS
            )
        except subprocess.TimeoutExpired as error:
            raise GitFailed(f"git {arguments[0]!s} took more than {_LONGEST_SECONDS} seconds") from error
        if done.returncode not in expected:
            raise _failure(arguments, done.returncode, done.stderr)
        return done.stdout

    @contextmanager
    def stream(self, *arguments: str | bytes, stdin: IO[bytes] | int = subprocess.DEVNULL) -> Iterator[IO[bytes]]:
        """A stream of what git prints, however long; read it to its end. Raises GitFailed then if git failed."""
        with tempfile.TemporaryFile() as complaint:
            process = subprocess.Popen(
                self._command(arguments), env=self._environment(None), stdin=stdin, stdout=subprocess.PIPE, stderr=complaint
            )
            assert process.stdout is not None
            try:
                yield process.stdout
            except BaseException:
                process.kill()
                raise
            finally:
                process.stdout.close()
                process.wait()
            if process.returncode:
                complaint.seek(0)
                raise _failure(arguments, process.returncode, complaint.read())

    def _command(self, arguments: Sequence[str | bytes]) -> list[str]:
        return [git_program(), "--git-dir", str(self.directory), *map(os.fsdecode, arguments)]

    def _environment(self, extra: Mapping[str, str] | None) -> dict[str, str]:
        return git_environment(self.settings) | {"GIT_OPTIONAL_LOCKS": "0"} | dict(self.extra) | dict(extra or {})


def _failure(arguments: Sequence[str | bytes], status: int, complaint: bytes) -> GitFailed:
    said = complaint.decode("utf-8", "replace").strip().splitlines()[-1:] or ["it said nothing"]
    return GitFailed(f"git {arguments[0]!s} ended with status {status}: {said[0]}", "The server's log says more.")
