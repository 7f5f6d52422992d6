"""The git program: how it is started, which environment it gets, and how its failures become our errors.

Two kinds of place. The *given* one: the repository that git or the user put this process in. There the variables that say which
repository is meant (GIT_DIR, GIT_WORK_TREE, GIT_INDEX_FILE, GIT_OBJECT_DIRECTORY for a quarantine, ...) are kept: inside a
hook, a filter or a helper they are the truth. A *named* one: any other folder. There they are removed, since they speak of
another repository. In both, configuration that comes by environment (`git -c`, GIT_CONFIG_COUNT) is kept, no question is asked
of a terminal that nobody reads, and look-ups take no lock (GIT_OPTIONAL_LOCKS=0).
"""

from __future__ import annotations

import os
import subprocess

from git_lepton.errors import WrongUse
from git_lepton.git.errors import LEAST_GIT, GitFailed, GitMissing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import IO

# The answer of `git rev-parse --local-env-vars`, less what is configuration.
_PLACE = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_COMMON_DIR",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_QUARANTINE_PATH",
    "GIT_PREFIX",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_GRAFT_FILE",
    "GIT_REPLACE_REF_BASE",
    "GIT_NO_REPLACE_OBJECTS",
)
_BLOCK = 1 << 20


def git_failed(arguments: tuple[str, ...], status: int, stderr: str) -> GitFailed:
    """The error of a git that ended so, of the kind that what it said tells of."""
    from git_lepton.git.failures import failure

    return failure(arguments, status, stderr, lambda: GitProgram().text("version"))


class GitProgram:
    """git, run in one folder: `None` is the given place, a path a named one (see above)."""

    def __init__(self, folder: Path | str | None = None) -> None:
        self.folder = os.fspath(folder) if folder is not None else None

    def environment(self) -> dict[str, str]:
        """What a look-up runs with."""
        kept = {name: value for name, value in os.environ.items() if self.folder is None or name not in _PLACE}
        return kept | {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}

    def run(self, *arguments: str, stdin: bytes = b"", environment: dict[str, str] | None = None) -> bytes:
        """What git prints. `environment` is added to the usual one. Raises GitFailed or GitMissing."""
        status, output, stderr = self.try_run(*arguments, stdin=stdin, environment=environment)
        if status:
            raise git_failed(arguments, status, stderr)
        return output

    def try_run(self, *arguments: str, stdin: bytes = b"", environment: dict[str, str] | None = None) -> tuple[int, bytes, str]:
        """Exit code, output and error text of git, whatever they are. Raises GitMissing."""
        process = self.start(*arguments, environment=environment)
        output, stderr = process.communicate(stdin)
        return process.returncode, output, stderr.decode("utf-8", "replace")

    def text(self, *arguments: str) -> str:
        """What git prints, as text without the last line end."""
        return os.fsdecode(self.run(*arguments)).removesuffix("\n")

    def start(self, *arguments: str, environment: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        """git running, with pipes for its three streams. Raises GitMissing."""
        return self._start(arguments, environment, subprocess.PIPE, subprocess.PIPE)

    def pipeline(self, *commands: Sequence[str], stdin: bytes = b"") -> Iterator[bytes]:
        """The lines that the last of some git commands prints, as they come; each reads what the one before it prints.

        Raises GitFailed when the output is over, or GitMissing.
        """
        from tempfile import TemporaryFile

        with TemporaryFile() as source, TemporaryFile() as complaints:
            source.write(stdin)
            source.seek(0)
            processes = self._connect(commands, source, complaints)
            try:
                yield from _lines(processes[-1])
            finally:
                failed = _end(processes)
            if failed:
                complaints.seek(0)
                position, status = failed
                raise git_failed(tuple(commands[position]), status, complaints.read().decode("utf-8", "replace"))

    def _connect(
        self, commands: Sequence[Sequence[str]], source: IO[bytes], complaints: IO[bytes]
    ) -> list[subprocess.Popen[bytes]]:
        processes: list[subprocess.Popen[bytes]] = []
        for command in commands:
            before = processes[-1].stdout if processes else source
            processes.append(self._start(command, None, before, complaints))
            if processes[1:] and before:
                before.close()  # the next process has it: only so does the first one notice when the next one ends
        return processes

    def _start(
        self, arguments: Sequence[str], environment: dict[str, str] | None, stdin: IO[bytes] | int | None, stderr: IO[bytes] | int
    ) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                ["git", *arguments],
                cwd=self.folder,
                env=self.environment() | (environment or {}),
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=stderr,
            )
        except (FileNotFoundError, NotADirectoryError) as error:
            from pathlib import Path

            if self.folder is not None and not Path(self.folder).is_dir():
                raise WrongUse(f"there is no folder {self.folder}") from error
            least = ".".join(map(str, LEAST_GIT))
            raise GitMissing("git is not on PATH", f"Install git {least} or later, or put its folder on PATH.") from error


def _lines(process: subprocess.Popen[bytes]) -> Iterator[bytes]:
    assert process.stdout is not None
    rest = b""
    while block := os.read(process.stdout.fileno(), _BLOCK):
        *whole, rest = (rest + block).split(b"\n")
        yield from whole
    if rest:
        yield rest


def _end(processes: Sequence[subprocess.Popen[bytes]]) -> tuple[int, int] | None:
    """Wait for all; position and exit code of the first that failed. One whose reader went away ends by itself."""
    last = processes[-1].stdout
    if last:
        last.close()
    failures = [(position, process.wait()) for position, process in enumerate(processes)]
    return next((failure for failure in failures if failure[1]), None)
