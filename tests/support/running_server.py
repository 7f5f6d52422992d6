"""The real server program in a process of its own, on a free port of this machine, over a data folder that outlives restarts."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from sqlalchemy import Connection

from lepton_server.admin import provisioning
from lepton_server.backends import open_database, open_store
from lepton_server.settings import ServerSettings
from tests.support import forked_servers
from tests.support.backends import Place
from tests.support.forked_servers import ForkedServer

_LISTENING = "listening on "
_START_SECONDS = 120.0
_STOP_SECONDS = 30.0


class RunningServer:
    """Starts when made; ends with `stop`, with `kill`, at the end of a `with` block, or with the test process.

    `url` has no slash at its end. `options` are further ones of `lepton-server serve`; `place` is where its data are; `prepare` runs in
    the new process before the program does (for resource limits). The admin's token is told where another server made the account.
    """

    def __init__(
        self,
        folder: Path,
        options: Sequence[str] = (),
        *,
        place: Place | None = None,
        environment: Mapping[str, str] | None = None,
        prepare: Callable[[], None] | None = None,
        admin_token: str = "",
    ) -> None:
        self.data = folder / "data"
        self.log = folder / "server.log"
        self._options = list(options)
        self.place = place or Place()
        self._environment = dict(os.environ if environment is None else environment) | dict(self.place.environment)
        self._prepare = prepare
        self.url = ""
        self._start(port="0")
        self.admin_token = admin_token or (self.data / "admin-token").read_text().strip()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def settings(self) -> ServerSettings:
        """Where its data are."""
        return self.place.settings(self.data)

    @contextmanager
    def looking_into(self) -> Iterator[Connection]:
        """Its database, in a transaction that may also change it."""
        database = open_database(self.settings)
        try:
            with database.write() as connection:
                yield connection
        finally:
            database.close()

    def stored_files(self) -> dict[str, int]:
        """What lies in its storage: the key and the size in bytes of each pack."""
        database = open_database(self.settings)
        try:
            store = open_store(self.settings, database, "looking")
            return {key: store.size(key) for key in store.keys()}  # noqa: SIM118 (a method of the store, not of a mapping)
        finally:
            database.close()

    def make_user(self, name: str) -> str:
        """A new account; its token."""
        provisioning.add_user(self.settings, name)
        return provisioning.new_token(self.settings, name)

    def grant(self, name: str, role: str, repository: str) -> None:
        """From now on this is the account's role in OWNER/REPO."""
        provisioning.grant(self.settings, name, role, repository)

    def run(self, *arguments: str) -> str:
        """Run another command of `lepton-server` on this data folder; what it printed, without the line end."""
        with tempfile.TemporaryFile() as trouble:
            done = self._program([*arguments, "--data", str(self.data), *self.place.options], trouble)
            assert done.stdout is not None
            with done.stdout as stdout:
                said = stdout.read().decode()
            code = done.wait()
            trouble.seek(0)
            assert code == 0, trouble.read().decode()
        return said.rstrip("\n")

    def stop(self) -> int:
        """End it as an operator does; its exit code."""
        self._process.terminate()
        return self._wait()

    def kill(self) -> None:
        """End it as a power failure does."""
        self._process.kill()
        self._wait()

    def restart(self, options: Sequence[str] | None = None) -> None:
        """Start again, at the same address and over the same data."""
        if self._process.poll() is None:
            self.stop()
        if options is not None:
            self._options = list(options)
        self._start(port=self.url.rpartition(":")[2])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._process.poll() is None:
            self.stop()
        self._output.close()

    def _start(self, port: str) -> None:
        arguments = ["serve", "--data", str(self.data), "--port", port, *self.place.options, *self._options]
        self._output = self.log.open("ab")
        self._process = self._program(arguments, self._output, self._prepare)
        self.url = self._wait_until_ready()

    def _program(
        self, arguments: Sequence[str], stderr: IO[bytes], prepare: Callable[[], None] | None = None
    ) -> subprocess.Popen[bytes] | ForkedServer:
        shares = "--workers" in arguments  # what workers share has to be said before the program is loaded
        if forked_servers.WANTED and not shares and prepare is None:
            return forked_servers.start(arguments, self._environment, stderr)
        return subprocess.Popen(
            [*_PROGRAM, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=self._environment,
            preexec_fn=prepare,
        )

    def _wait_until_ready(self) -> str:
        lines: queue.Queue[bytes] = queue.Queue()
        threading.Thread(target=self._read_lines, args=(lines,), daemon=True).start()
        try:
            line = lines.get(timeout=_START_SECONDS).decode()
        except queue.Empty:
            self.kill()
            raise AssertionError(f"the server did not start:\n{self.log.read_text()}") from None
        if _LISTENING not in line:
            self._wait()
            raise AssertionError(f"the server did not start:\n{line}{self.log.read_text()}")
        return line.split(_LISTENING, 1)[1].split()[0].rstrip('/",')  # a word of a sentence, or of a JSON text

    def _read_lines(self, lines: queue.Queue[bytes]) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stdout:
            for line in stdout:
                lines.put(line)
            lines.put(b"")

    def _wait(self) -> int:
        try:
            code = self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise AssertionError("the server did not end in time") from None
        finally:
            self._output.close()
        return code


_PROGRAM = [sys.executable, "-m", "lepton_server.cli"]
