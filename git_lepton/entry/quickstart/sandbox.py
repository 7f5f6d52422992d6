"""A folder, a server and a git of the quickstart's own: nothing of the user's configuration is read or written."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from git_lepton.errors import LeptonError, WrongUse

_START_S = 20.0
_STOP_S = 10.0
_LISTENING = "listening on "


class QuickstartFailed(LeptonError):
    """A step of the quickstart did not do what it should."""


class Sandbox:
    """Everything below `folder`: the server's data, the repositories, a git configuration. `start` it, `stop` it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "server"
        self.log = folder / "server.log"
        self.url = ""
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """The variables for git and git-lepton: our programs first on PATH, a git configuration and a token of our own."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        own = {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
            "GIT_CONFIG_GLOBAL": str(self.folder / "gitconfig"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "NO_PROXY": "127.0.0.1",
        }
        if self.url:
            own["GIT_LEPTON_TOKEN"] = (self.data / "admin-token").read_text().strip()
            own["GIT_LEPTON_HOST"] = self.url.removeprefix("http://")
        return kept | own

    def start(self) -> None:
        """Start the embedded server on a free port of this machine. Raises WrongUse if the server is not installed."""
        if importlib.util.find_spec("uvicorn") is None or importlib.util.find_spec("lepton_server") is None:
            raise WrongUse("the quickstart needs the server, which is not installed", "pip install 'git-lepton[server]'")
        identity = "[user]\n\tname = Quickstart\n\temail = quickstart@example.org\n"
        settings = "[init]\n\tdefaultBranch = main\n[advice]\n\tdetachedHead = false\n"
        (self.folder / "gitconfig").write_text(identity + settings, encoding="utf-8")
        command = [sys.executable, "-m", "lepton_server.cli", "serve", "--data", str(self.data), "--port", "0"]
        with self.log.open("wb") as log:
            self._server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self.url = self._wait_for_url()

    def _wait_for_url(self) -> str:
        assert self._server is not None
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline and self._server.poll() is None:
            for line in self.log.read_text(errors="replace").splitlines():
                if _LISTENING in line:
                    return line.split(_LISTENING, 1)[1].split()[0].rstrip("/")
            time.sleep(0.05)
        said = self.log.read_text(errors="replace").strip().splitlines()
        raise QuickstartFailed("the embedded server did not start", said[-1] if said else f"See {self.log}.")

    @property
    def server_process(self) -> int:
        """The process id of the server."""
        return self._server.pid if self._server else 0

    def stop(self) -> None:
        """End the server; in-flight requests end first."""
        if self._server and self._server.poll() is None:
            self._server.terminate()
            try:
                self._server.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait()

    def git(self, arguments: Sequence[str], folder: Path) -> str:
        """What this git command printed. Raises QuickstartFailed with its last words."""
        done = subprocess.run(["git", *arguments], cwd=folder, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            words = (done.stderr or done.stdout).strip()
            raise QuickstartFailed(f"`git {' '.join(arguments)}` failed with exit code {done.returncode}", words)
        return done.stdout

    def stored_bytes(self) -> int:
        """What the server holds of weights on its disk."""
        return sum(file.stat().st_size for file in (self.data / "packs").rglob("*") if file.is_file())
