"""Credentials for a server: the token of the environment, else git's credential helpers, else netrc.

A secret leaves this module only for the host it belongs to and never over plain http, this machine excepted. Nobody is asked
where nobody can answer.
"""

from __future__ import annotations

import base64
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from netrc import NetrcParseError, netrc
from pathlib import Path
from urllib.parse import urlsplit

from git_lepton.errors import WrongUse
from git_lepton.git.program import GitProgram
from git_lepton.settings.addresses import is_private
from git_lepton.transfer.http.hosts import host_of

RunGit = Callable[[list[str], bytes, Mapping[str, str]], tuple[int, bytes]]
_HELPER_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Credential:
    """A secret for one host. `source` says where it is from: token, address, git or netrc. A bare token has no `username`."""

    source: str
    secret: str
    username: str = ""
    filled: bytes = b""  # all that `git credential fill` said, for approve and reject

    @property
    def header(self) -> str:
        """The value of the Authorization header."""
        if not self.username:
            return f"Bearer {self.secret}"
        return "Basic " + base64.b64encode(f"{self.username}:{self.secret}".encode()).decode()

    def __repr__(self) -> str:
        return f"Credential(source={self.source!r})"  # never the secret


class CredentialChain:
    """The credentials for one remote. `token` goes to `token_host` (HOST[:PORT]) and to no other: which host that is, if any, is
    decided by who knows where the remote's address is from. `username` and `password` stood in an address that the user typed.
    `netrc_file` is read if it is there. Thread safe."""

    def __init__(
        self,
        *,
        token: str = "",
        token_host: str = "",
        username: str = "",
        password: str = "",
        git: GitCredentials | None = None,
        netrc_file: Path | None = None,
    ) -> None:
        self._token, self._token_host = token, token_host.lower()
        self._username, self._password = username, password
        self._git, self._netrc_file = git, netrc_file
        self._rejected: set[tuple[str, str, str]] = set()
        self._lock = threading.Lock()

    def ready(self, url: str) -> Credential | None:
        """What may be sent with the first request, before the server asked: only what was given for this host."""
        return next(self._given(url), None) if is_private(url) else None

    def for_host(self, url: str) -> Credential | None:
        """The best credential for this URL's host that was not rejected yet; may ask git, and through it the user.

        One that was given for this host is the user's word: if it is refused, no other is tried behind their back.
        """
        if not is_private(url):
            return None
        sources = (self._given,) if any(True for _ in self._given(url)) else (self._of_git, self._of_netrc)
        found = (credential for source in sources for credential in source(url))
        return next((credential for credential in found if self._is_fresh(url, credential)), None)

    def approve(self, credential: Credential) -> None:
        """The server took it: git's helpers may keep it."""
        if credential.filled and self._git:
            self._git.tell("approve", credential)

    def reject(self, url: str, credential: Credential) -> None:
        """The server refused it: it is not offered again, and git's helpers forget it."""
        with self._lock:
            self._rejected.add((host_of(url), credential.source, credential.header))
        if credential.filled and self._git:
            self._git.tell("reject", credential)

    def _is_fresh(self, url: str, credential: Credential) -> bool:
        with self._lock:
            return (host_of(url), credential.source, credential.header) not in self._rejected

    def _given(self, url: str) -> Iterator[Credential]:
        if host_of(url).lower() != self._token_host:
            return
        if self._token:
            yield Credential("token", self._token)
        if password := self._password.strip():
            yield Credential("address", password, self._username or "token")

    def _of_git(self, url: str) -> Iterator[Credential]:
        found = self._git.fill(url, self._username) if self._git else None
        if found:
            yield found

    def _of_netrc(self, url: str) -> Iterator[Credential]:
        if self._netrc_file is None or not self._netrc_file.is_file():
            return
        try:
            entry = netrc(str(self._netrc_file)).hosts.get(urlsplit(url).hostname or "")
        except NetrcParseError as error:  # its words quote what may be a password
            raise WrongUse(f"{self._netrc_file} cannot be read: line {error.lineno} is wrong", "Correct that file.") from None
        except (UnicodeDecodeError, OSError) as error:
            reason = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else error.strerror
            raise WrongUse(f"{self._netrc_file} cannot be read: {reason}", "Correct that file.") from None
        if entry and (password := entry[2].strip()):
            yield Credential("netrc", password, entry[0] or "token")


class GitCredentials:
    """`git credential`. Asks the user on the terminal only where `interactive`."""

    def __init__(self, *, interactive: bool, run: RunGit | None = None) -> None:
        self._interactive = interactive
        self._run = run or (lambda arguments, text, environment: run_git(arguments, text, environment, interactive=interactive))

    def fill(self, url: str, username: str = "") -> Credential | None:
        """What git knows or is told for this URL (and user, if one is named), or None."""
        parts = urlsplit(url)
        asked = {"protocol": parts.scheme, "host": host_of(url), "path": parts.path.strip("/"), "username": username}
        if any(character in value for value in asked.values() for character in "\n\r\0"):
            return None
        text = "".join(f"{key}={value}\n" for key, value in asked.items() if value) + "\n"
        code, answer = self._git("fill", text.encode())
        said = dict(line.split("=", 1) for line in answer.decode("utf-8", "replace").splitlines() if "=" in line)
        password = said.get("password", "").strip()
        if code != 0 or not password:
            return None
        return Credential("git", password, said.get("username") or "token", answer)

    def tell(self, verb: str, credential: Credential) -> None:
        """Feed a filled credential back: `verb` is approve or reject."""
        if credential.filled:
            self._git(verb, credential.filled.rstrip(b"\n") + b"\n\n")

    def _git(self, verb: str, text: bytes) -> tuple[int, bytes]:
        options = [] if self._interactive else ["-c", "credential.interactive=false"]
        quiet = {} if self._interactive else _NOBODY_THERE
        return self._run([*options, "credential", verb], text, quiet)


_NOBODY_THERE = {"GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "", "SSH_ASKPASS": "", "GCM_INTERACTIVE": "never"}


def run_git(arguments: list[str], text: bytes, environment: Mapping[str, str], *, interactive: bool = False) -> tuple[int, bytes]:
    """Run git with `text` as its input. Gives exit code and output; a git that is absent or hangs knows nothing.

    Its stderr is never read: a helper's daemon keeps it open for hours.
    """
    try:
        done = subprocess.run(
            ["git", *arguments],
            input=text,
            stdout=subprocess.PIPE,
            stderr=None if interactive else subprocess.DEVNULL,
            env=GitProgram().environment() | dict(environment),
            timeout=None if interactive else _HELPER_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return 128, b""
    return done.returncode, done.stdout
