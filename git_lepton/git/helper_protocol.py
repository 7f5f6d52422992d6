"""The dialogue between git and `git remote-http`, as one who stands between them follows it. No IO.

Whatever the child says goes to git verbatim, and whatever git says goes to the child, with two exceptions: a push batch is
held until `allow` or `refuse`, and nothing follows a `connect` or `stateless-connect` before its reply, because an empty
reply turns the dialogue into a raw copy of bytes. No capability is added: what the child can't do, git is not offered.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_HEX_DIGITS = frozenset("0123456789abcdef")


class ToChild:
    """Write these bytes to the child."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data: Final = data


class ToGit:
    """Write these bytes to git."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data: Final = data


class PushCommand:
    """`push [+]<source>:<destination>`; an empty source deletes the destination."""

    __slots__ = ("destination", "forced", "source")

    def __init__(self, line: bytes) -> None:
        text = line.removeprefix(b"push ").removesuffix(b"\n").decode("utf-8", "surrogateescape")
        self.forced: Final = text.startswith("+")
        self.source, _, self.destination = text.removeprefix("+").rpartition(":")  # a ref name has no colon


class PushHeld:
    """A whole push batch waits; answer it with `allow` or `refuse`."""

    __slots__ = ("commands",)

    def __init__(self, commands: list[PushCommand]) -> None:
        self.commands: Final = commands

    def sources(self) -> list[str]:
        """What is pushed: local refs or oids, without deletions."""
        return [command.source for command in self.commands if command.source]


Event = ToChild | ToGit | PushHeld

_COMMAND, _FETCH, _PUSH, _HELD, _CONNECTING, _RAW = range(6)


class HelperDialogue:
    """Feed it what git and the child send, in any pieces; do what the events say, in order.

    `options` has the last value of each option that git set; `remote_refs` what the last `list for-push` answered, from
    ref to oid.
    """

    def __init__(self) -> None:
        self.options: dict[str, str] = {}
        self.remote_refs: dict[str, str] = {}
        self._state = _COMMAND
        self._from_git = bytearray()
        self._reply = bytearray()
        self._listing = False
        self._held: list[bytes] = []

    @property
    def is_raw(self) -> bool:
        """Whether all that is left to do is to copy bytes both ways."""
        return self._state == _RAW

    @property
    def is_dry_run(self) -> bool:
        return self.options.get("dry-run") == "true"

    @property
    def is_quiet(self) -> bool:
        """Whether git was told to say nothing but errors."""
        return self.options.get("verbosity") == "0"

    @property
    def wants_progress(self) -> bool:
        """Whether git shows progress: it watches for a terminal, and for --progress and --no-progress."""
        return self.options.get("progress") == "true"

    def from_git(self, data: bytes) -> list[Event]:
        if self._state == _RAW:
            return [ToChild(data)]
        self._from_git += data
        return self._advance()

    def from_child(self, data: bytes) -> list[Event]:
        events: list[Event] = [ToGit(data)]
        if self._listing:
            self._read_listing(data)
        elif self._state == _CONNECTING:
            self._reply += data
            if b"\n" in self._reply:
                self._state = _RAW if self._reply.startswith(b"\n") else _COMMAND  # else "fallback" or a refusal
                events += self._advance()
        return events

    def allow(self) -> list[Event]:
        """The weights of the held batch are in place: it goes on to the child."""
        held = ToChild(b"".join(self._held) + b"\n")
        return [held, *self._resume()]

    def refuse(self, sentence: str) -> list[Event]:
        """The held batch ends here: each of its refs gets this sentence as its error, the child sees nothing of it."""
        reason = " ".join(sentence.split())  # an answer is one line
        answers = [f"error {PushCommand(line).destination} lepton: {reason}\n" for line in self._held]
        answer = ToGit("".join([*answers, "\n"]).encode("utf-8", "surrogateescape"))
        return [answer, *self._resume()]

    def _resume(self) -> list[Event]:
        if self._state != _HELD:
            raise ValueError("no push batch is held")
        self._held = []
        self._state = _COMMAND
        return self._advance()

    def _advance(self) -> list[Event]:
        events: list[Event] = []
        while self._from_git and self._state not in (_HELD, _CONNECTING):
            end = len(self._from_git) if self._state == _RAW else self._from_git.find(b"\n") + 1
            if not end:
                break
            piece = bytes(self._from_git[:end])
            del self._from_git[:end]
            events += [ToChild(piece)] if self._state == _RAW else self._line(piece)
        return events

    def _line(self, line: bytes) -> list[Event]:
        if self._state == _COMMAND:
            self._begin(line)
        if self._state == _PUSH:
            return self._hold(line)
        if self._state == _FETCH and line == b"\n":
            self._state = _COMMAND
        return [ToChild(line)]

    def _begin(self, line: bytes) -> None:
        words = line.decode("utf-8", "surrogateescape").split()
        self._reply.clear()
        self._listing = words == ["list", "for-push"]
        match words:
            case ["option", name, *value]:
                self.options[name] = " ".join(value)
            case ["list", "for-push"]:
                self.remote_refs.clear()
            case ["fetch", *_]:
                self._state = _FETCH
            case ["push", *_]:
                self._state = _PUSH
            case ["connect" | "stateless-connect", *_]:
                self._state = _CONNECTING

    def _hold(self, line: bytes) -> list[Event]:
        if line != b"\n":
            self._held.append(line)
            return []
        self._state = _HELD
        return [PushHeld([PushCommand(held) for held in self._held])]

    def _read_listing(self, data: bytes) -> None:
        self._reply += data
        *lines, rest = bytes(self._reply).split(b"\n")
        self._reply = bytearray(rest)
        for line in lines:
            if not line:
                self._listing = False
                return
            oid, _, name = line.decode("utf-8", "surrogateescape").partition(" ")
            if _HEX_DIGITS.issuperset(oid) and oid:  # not "@target", "?" or ":object-format"
                self.remote_refs[name.split(" ")[0]] = oid
