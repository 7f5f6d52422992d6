"""`git-remote-lepton NAME URL`: git's own helper for http, and before a push goes on, its weights.

git starts it for remotes `lepton::http(s)://HOST/OWNER/REPO`. It starts `git remote-http` for HOST/OWNER/REPO.git and relays the
dialogue (`git.helper_protocol`), so whatever git can do over http works as it does without us.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from queue import SimpleQueue

from git_lepton.entry.boundary import complain, explained, guarded
from git_lepton.entry.helper_token import why_it_failed, with_token
from git_lepton.entry.interruption import end_soon_when_interrupted
from git_lepton.errors import LeptonError, WrongUse
from git_lepton.git import configuration
from git_lepton.git.helper_protocol import HelperDialogue, PushHeld, ToChild
from git_lepton.git.repository import GitFailed, GitRepository
from git_lepton.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from git_lepton.git.helper_protocol import Event

_PROGRAM = "git-remote-lepton"
_BLOCK = 1 << 16


class NotServedHere(WrongUse):
    """An address that no server of ours can have."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the dialogue on standard input and output. Returns the exit code of git's own helper, or that of our error."""
    given = sys.argv[1:] if arguments is None else arguments
    if arguments is None:
        end_soon_when_interrupted(quietly=True)
    return guarded(lambda: _run(given), _PROGRAM)


def git_address(url: str) -> str:
    """Where git itself is served for `http(s)://HOST[:PORT]/OWNER/REPO[.git]`. Raises NotServedHere."""
    scheme, mark, rest = url.partition("://")
    parts = rest.rstrip("/").split("/")
    if not mark or scheme not in ("http", "https"):
        raise NotServedHere(
            "lepton:: goes before an http or https address; other remotes keep their ordinary address",
            "git remote set-url REMOTE ADDRESS (without lepton::), and name a store: git config lepton.url https://HOST/OWNER/REPO",
        )
    if len(parts) < 3 or not all(parts):
        raise NotServedHere("this address names no repository", "It should look like lepton::https://HOST/OWNER/REPO.")
    return f"{scheme}://{'/'.join(parts).removesuffix('.git')}.git"


def _run(arguments: Sequence[str]) -> int:
    if len(arguments) != 2:
        raise WrongUse(
            "git-remote-lepton takes a remote and its address", "git starts it: git clone lepton::https://HOST/OWNER/REPO"
        )
    name, url = arguments
    address = git_address(url)
    settings = Settings(GitRepository())
    if "GIT_DIR" not in settings.environment:  # git ls-remote, outside of any repository
        settings = Settings(None)
    elif settings.git and not _is_url(name):
        _configure(settings.git)
    code = _Relay(name, url, address, with_token(settings, address)).run()
    if code and (trouble := why_it_failed(settings, address)):
        complain(trouble, _PROGRAM)
    return code


def _configure(git: GitRepository) -> None:
    """See to it that this repository has a filter: `git clone` checks out after us, by what its configuration says then."""
    try:
        if not configuration.is_configured(git):
            configuration.configure(git)
    except GitFailed as error:  # a configuration that cannot be written is no reason not to fetch
        complain(error, _PROGRAM)


def _is_url(name: str) -> bool:
    """git gives a remote that has no name its address as name."""
    return "::" in name or "://" in name


class _Relay:
    """Two threads read the two sides and feed one dialogue. The main thread waits: for a push batch, whose weights it sends (so
    that it is the one interrupted), and for the end of the child, which is the end of all, whatever git still wants to say."""

    def __init__(self, name: str, url: str, address: str, environment: Mapping[str, str]) -> None:
        self._name, self._url = name, url
        self._child = subprocess.Popen(
            ["git", f"remote-{address.partition(':')[0]}", name, address],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        self._dialogue = HelperDialogue()
        self._turn = threading.Lock()
        self._waiting: SimpleQueue[PushHeld | None] = SimpleQueue()  # None: the child has ended

    def run(self) -> int:
        """Until the child has ended. Its exit code."""
        git_in, self._to_git = _binary(0), _binary(1)
        child_in, child_out = self._child.stdin, self._child.stdout
        assert child_in is not None
        assert child_out is not None
        self._to_child = child_in.fileno()

        def questions() -> None:
            self._copy(git_in, self._dialogue.from_git)
            child_in.close()

        def answers() -> None:
            self._copy(child_out.fileno(), self._dialogue.from_child)
            child_out.close()  # if git has gone, the child must notice
            self._waiting.put(None)

        for reader in (questions, answers):
            threading.Thread(target=reader, daemon=True).start()
        while held := self._waiting.get():
            self._do(self._decide(held))
        code = self._child.wait()
        return code if code >= 0 else 128 - code

    def _copy(self, source: int, feed: Callable[[bytes], list[Event]]) -> None:
        """Until the source ends, or nobody reads what it says."""
        while (data := os.read(source, _BLOCK)) and self._do(self._in_turn(feed, data)):
            pass

    def _in_turn(self, feed: Callable[[bytes], list[Event]], data: bytes) -> list[Event]:
        with self._turn:
            return feed(data)

    def _do(self, events: list[Event]) -> bool:
        """Act on events. False when the side that is written to has gone."""
        for event in events:
            if isinstance(event, PushHeld):
                self._waiting.put(event)
            elif not _write(self._to_child if isinstance(event, ToChild) else self._to_git, event.data):
                return False
        return True

    def _decide(self, held: PushHeld) -> list[Event]:
        """Upload, then let the batch go on, or refuse it with the reason."""
        try:
            if held.sources() and not self._dialogue.is_dry_run:
                self._upload(held)
        except (LeptonError, OSError) as error:
            trouble = explained(error)
            complain(trouble, _PROGRAM)
            with self._turn:
                return self._dialogue.refuse("its weights were not sent")  # git shows this once for each ref
        with self._turn:
            return self._dialogue.allow()

    def _upload(self, held: PushHeld) -> None:
        from git_lepton.workflow.sync.push import pointers_brought_again, pointers_to_push

        git = GitRepository()
        tips = held.sources()
        known = _known(git, self._name, self._dialogue.remote_refs)
        wanted = pointers_to_push(git, tips, known)
        wanted += pointers_brought_again(git, tips, known, wanted)
        if wanted:
            from git_lepton.entry.hosted_push import push_hosted

            hidden = self._dialogue.is_quiet or (sys.stderr.isatty() and not self._dialogue.wants_progress)
            push_hosted(git, self._url, wanted, tips, known, show_progress=not hidden, quiet=self._dialogue.is_quiet)


def _known(git: GitRepository, name: str, remote_refs: Mapping[str, str]) -> list[str]:
    """What the remote has: the commits it lists and, where we lack those, what we last saw of the same branches."""
    tracking = git.refs(f"refs/remotes/{name}/")
    seen = (tracking.get(f"refs/remotes/{name}/{ref.removeprefix('refs/heads/')}") for ref in remote_refs)
    return list(dict.fromkeys([*remote_refs.values(), *(oid for oid in seen if oid)]))


def _binary(descriptor: int) -> int:
    """A standard stream, without Windows' change of line ends."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.setmode(descriptor, os.O_BINARY)
    return descriptor


def _write(descriptor: int, data: bytes) -> bool:
    """Write all of it. False when nobody reads any more."""
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(descriptor, view) :]
    except OSError:  # a broken pipe, by whatever name the system has for it
        return False
    return True
