"""The dialogue between git and a long-running filter process, version 2, as a state machine without IO.

The process reads a message (lines up to a flush), gives it to `hear`, and writes the bytes that come back. When `hear` gives a
`Request`, the content of the file follows on the pipe, up to a flush; the process reads all of it before it writes a byte, since
git does not read while it writes. Then exactly one answer is due:

    success(), content packets, end()    the content is good
    success(), content packets, error()  it turned out not to be; git throws it away
    error()                              this file can't be had; the next one may
    abort()                              neither this one nor any other
    delayed()                            later: git asks for it again when `available` has listed it

`Listing` asks which delayed files are there now; `available` answers, an empty list meaning that no more will come.
"""

from __future__ import annotations

from git_lepton.errors import LeptonError
from git_lepton.git.pkt_line import FLUSH, encode_message

CAPABILITIES = (b"clean", b"smudge", b"delay")
_WELCOME, _CAPABILITIES, _COMMAND, _ANSWER, _CONTENT, _LISTING = (
    "welcome",
    "capabilities",
    "command",
    "answer",
    "content",
    "listing",
)


class BadDialogue(LeptonError):
    """git said something that has no place in this protocol, or we answered what was not asked."""


class Request:
    """One file to clean or to smudge. Pathname, treeish, ref and blob are bytes as git sends them, empty where it sent none."""

    __slots__ = ("blob", "can_delay", "command", "pathname", "ref", "treeish")

    def __init__(self, values: dict[bytes, bytes]) -> None:
        self.command = values[b"command"].decode("ascii", "replace")
        self.pathname = values.get(b"pathname", b"")
        self.treeish = values.get(b"treeish", b"")
        self.ref = values.get(b"ref", b"")
        self.blob = values.get(b"blob", b"")
        self.can_delay = values.get(b"can-delay") == b"1"


class Listing:
    """git asks which delayed files can be had now."""

    __slots__ = ()


class FilterProtocol:
    """One dialogue, from the welcome until git closes the pipe."""

    def __init__(self) -> None:
        self._state = _WELCOME
        self._request: Request | None = None
        self._capabilities: list[bytes] = []
        self._delayed: set[bytes] = set()

    def hear(self, message: list[bytes]) -> tuple[bytes, Request | Listing | None]:
        """Take git's next message: the bytes to write now, and what is asked of us, if anything. Raises BadDialogue."""
        if self._state == _WELCOME:
            return self._welcome(message), None
        if self._state == _CAPABILITIES:
            return self._agree(message), None
        self._expect(_COMMAND)
        return b"", self._command(_values(message))

    @property
    def may_begin(self) -> bool:
        """Whether an answer is due and none of it was given."""
        return self._state == _ANSWER

    def success(self) -> bytes:
        """The content of the file comes next, then `end`, or `error` if it was not good after all."""
        self._move(_ANSWER, _CONTENT)
        return encode_message([b"status=success"])

    def end(self) -> bytes:
        """The content is over and was good."""
        self._answered(_CONTENT)
        return FLUSH + FLUSH

    def error(self) -> bytes:
        """This file can't be had, whether some of its content was written already or not."""
        before = FLUSH if self._state == _CONTENT else b""
        self._answered(self._state if before else _ANSWER)
        return before + encode_message([b"status=error"])

    def abort(self) -> bytes:
        """Nothing more of this command: git asks this process for no other such file."""
        self._answered(_ANSWER)
        return encode_message([b"status=abort"])

    def delayed(self) -> bytes:
        """The content comes later, when it was listed. Raises BadDialogue where git did not allow it."""
        request = self._request
        if request is None or not request.can_delay or b"delay" not in self._capabilities:
            raise BadDialogue("git did not ask for a file that may come later")
        self._answered(_ANSWER)
        self._delayed.add(request.pathname)
        return encode_message([b"status=delayed"])

    def available(self, pathnames: list[bytes]) -> bytes:
        """The answer to a Listing. Each path must have been delayed and not been listed since."""
        if not self._delayed.issuperset(pathnames):
            raise BadDialogue("a file is listed that was not delayed")
        self._move(_LISTING, _COMMAND)
        self._delayed.difference_update(pathnames)
        return encode_message([b"pathname=" + path for path in pathnames]) + encode_message([b"status=success"])

    def _welcome(self, message: list[bytes]) -> bytes:
        if message[:1] != [b"git-filter-client"] or b"version=2" not in message:
            raise BadDialogue("git does not speak version 2 of the filter protocol", "Install git 2.30 or later.")
        self._state = _CAPABILITIES
        return encode_message([b"git-filter-server", b"version=2"])

    def _agree(self, message: list[bytes]) -> bytes:
        offered = {line.removeprefix(b"capability=") for line in message if line.startswith(b"capability=")}
        self._capabilities = [name for name in CAPABILITIES if name in offered]
        self._state = _COMMAND
        return encode_message([b"capability=" + name for name in self._capabilities])

    def _command(self, values: dict[bytes, bytes]) -> Request | Listing:
        command = values.get(b"command", b"")
        if command == b"list_available_blobs":
            self._state = _LISTING
            return Listing()
        if command not in self._capabilities or command == b"delay":
            raise BadDialogue(f"git asks for {command!r}, which was not agreed upon")
        self._request, self._state = Request(values), _ANSWER
        return self._request

    def _answered(self, state: str) -> None:
        self._move(state, _COMMAND)
        self._request = None

    def _move(self, before: str, after: str) -> None:
        self._expect(before)
        self._state = after

    def _expect(self, state: str) -> None:
        if self._state != state:
            raise BadDialogue(f"{state} has no place here: {self._state} is due")


def _values(message: list[bytes]) -> dict[bytes, bytes]:
    """The key=value lines of a message; a value may hold further '='. Keys that we do not know are never looked at."""
    pairs = (line.partition(b"=") for line in message)
    return {key: value for key, _, value in pairs}
