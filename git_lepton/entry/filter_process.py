"""`git-lepton filter-process`: what git starts to clean and smudge the files with filter=lepton.

Start-up is what every git command pays that meets such a file: until the first file with weights nothing is imported here but
the dialogue itself. Standard output belongs to git alone; whatever else in this process prints goes to standard error.
"""

from __future__ import annotations

import os
import sys

from git_lepton.entry.filter_oddities import Oddities
from git_lepton.entry.filter_weights import Weights, complain
from git_lepton.errors import CorruptData, LeptonError, WeightsMissing, WrongUse
from git_lepton.format.pointer import MAX_POINTER_BYTES, BadPointer, NotAPointer, UnknownPointerVersion, parse_pointer
from git_lepton.git.filter_protocol import BadDialogue, FilterProtocol, Listing, Request
from git_lepton.git.pkt_line import BadPacket, Content, PacketReader, PacketWriter, PipeClosed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from git_lepton.format.pointer import Pointer
    from git_lepton.settings import Settings
    from git_lepton.workspace import Workspace

    HandOut = Callable[[Pointer, Callable[[bytes | bytearray], object]], None]

_LISTED_AT_ONCE = 100
_SMALL_BYTES = 64 * 1024
_SPOOL_BYTES = 16 * 1024 * 1024
_COPY_BYTES = 1024 * 1024


def main(argv: list[str]) -> int:
    """Serve git until it closes our standard input. Returns an exit code, which git ignores."""
    from git_lepton.entry.boundary import guarded

    return guarded(lambda: _serve(argv))


def _serve(argv: list[str]) -> int:
    if argv[1:]:
        raise WrongUse("filter-process takes no arguments", "It is started by git: see `git lepton install`.")
    source, sink = _take_standard_streams()
    weights = Weights(_open_workspace)
    try:
        FilterProcess(PacketReader(source), PacketWriter(sink), weights).serve()
        return weights.finish()
    except (PipeClosed, BrokenPipeError, KeyboardInterrupt):
        return 1  # git was stopped: it, or the user, knows why


class FilterProcess:
    """One dialogue with git."""

    def __init__(self, reader: PacketReader, writer: PacketWriter, weights: Weights) -> None:
        self._reader, self._writer, self._weights = reader, writer, weights
        self._protocol = FilterProtocol()
        self._oddities = Oddities(weights)
        self._delayed: dict[bytes, Pointer] = {}  # paths that git was told to ask for again
        self._unlisted: list[bytes] = []
        self._unfetched: list[Pointer] = []

    def serve(self) -> None:
        """Answer until git closes its end. Raises PipeClosed, BadPacket, BadDialogue."""
        while (message := self._reader.read_message()) is not None:
            answer, asked = self._protocol.hear(message)
            if answer:
                self._writer.write(answer)
            if isinstance(asked, Request):
                self._serve_file(asked)
            elif isinstance(asked, Listing):
                self._list_available()
        self._oddities.tell()

    def _serve_file(self, request: Request) -> None:
        content = self._reader.content()
        try:
            if request.command == "clean":
                self._clean(request, content)
            else:
                self._smudge(request, content)
        except (PipeClosed, BadPacket, BadDialogue, BrokenPipeError):
            raise
        except Exception as error:  # the file fails, the process goes on
            from shlex import quote

            from git_lepton.entry.boundary import explained

            told = explained(error)
            leave = (
                f"\nTo go on with its pointer: GIT_LEPTON_SKIP_SMUDGE=1 git checkout -- {quote(os.fsdecode(request.pathname))}"
            )
            hint = told.hint + leave if isinstance(error, WeightsMissing) else told.hint
            self._refuse(request, content, told.message, hint)

    def _refuse(self, request: Request, content: Content, message: str, hint: str) -> None:
        complain(f"{os.fsdecode(request.pathname)}: {message}", hint)
        content.drain()
        self._writer.write(self._protocol.error())

    def _clean(self, request: Request, content: Content) -> None:
        head, path = content.peek(MAX_POINTER_BYTES + 1), os.fsdecode(request.pathname)
        text: bytes | None
        if not head:
            text = head
        elif trouble := _trouble_with(head):
            text = self._oddities.known(path, head)
            if text is None:
                raise trouble
            self._oddities.note(path, trouble)
        elif _pointer_in(head):
            text = _as_git_stores_it(head)
        else:
            text = self._weights.confirm(path, content) or self._weights.keep(path, content)
        content.drain()
        self._answer(text)

    def _smudge(self, request: Request, content: Content) -> None:
        head = content.peek(MAX_POINTER_BYTES + 1)
        if not head and request.pathname in self._delayed:
            self._answer_delayed(request)
            return
        try:
            pointer = _pointer_in(head)
        except (BadPointer, UnknownPointerVersion) as error:
            self._oddities.note(os.fsdecode(request.pathname), error)
            pointer = None
        if pointer is None:
            self._pass_through(content)
            return
        content.drain()
        self._smudge_pointer(request, pointer)

    def _smudge_pointer(self, request: Request, pointer: Pointer) -> None:
        """What is here is answered at once; docs/decisions/0004 says who else gets what.

        An archive cannot be mended later: it gets its bytes whatever size, and so does who names a blob and nothing more.
        """
        workspace, path = self._weights.workspace, os.fsdecode(request.pathname)
        settings, workspace.commit = workspace.settings, request.treeish.decode() or workspace.commit
        only_looks = bool(request.blob) and not (request.can_delay or request.treeish or _is_of_a_stash(settings))
        checks_out = request.can_delay or not (request.treeish or only_looks)
        if settings.skip_smudge:
            self._answer(pointer.encode())
        elif checks_out and self._weights.is_large(pointer):
            self._weights.write_after_git(path, pointer)
            self._answer(pointer.encode())
        elif self._answer_if_here(pointer):
            return
        elif only_looks:
            self._weights.note_not_here(path)
            self._answer(pointer.encode())
        elif request.can_delay and (request.treeish or not self._weights.is_unmerged(path)):
            self._delay(request, pointer)
        else:
            self._weights.bring([pointer])
            self._answer_or_leave(path, pointer) if request.can_delay else self._answer_object(pointer)

    def _delay(self, request: Request, pointer: Pointer) -> None:
        """Never a path with a conflict: git then keeps no entry for the merged file, and crashes when the answer comes later."""
        self._writer.write(self._protocol.delayed())
        self._delayed[request.pathname] = pointer
        self._unlisted.append(request.pathname)
        self._unfetched.append(pointer)

    def _list_available(self) -> None:
        """The first question after a round of delays says that no more come: fetch them together."""
        if self._unfetched:
            self._weights.bring(self._unfetched)
            self._unfetched = []
        listed, self._unlisted = self._unlisted[:_LISTED_AT_ONCE], self._unlisted[_LISTED_AT_ONCE:]
        self._writer.write(self._protocol.available(listed))

    def _answer_delayed(self, request: Request) -> None:
        self._answer_or_leave(os.fsdecode(request.pathname), self._delayed.pop(request.pathname))

    def _answer_or_leave(self, path: str, pointer: Pointer) -> None:
        """The bytes, or the pointer where that may stand for them."""
        try:
            self._answer_object(pointer)
        except LeptonError as error:
            if not self._protocol.may_begin or not self._weights.may_stay_pointer(path, error):
                raise
            self._answer(pointer.encode())

    def _answer_if_here(self, pointer: Pointer) -> bool:
        """The bytes if they are here; False where they are not, or are damaged from the start: then they are to be brought."""
        try:
            self._answer_object(pointer, self._weights.write_stored)
        except (WeightsMissing, CorruptData):
            if not self._protocol.may_begin:
                raise
            return False
        return True

    def _answer_object(self, pointer: Pointer, hand_out: HandOut | None = None) -> None:
        """The bytes; what is missing is found out before the first of them, so that another answer is possible."""

        def write(data: bytes | bytearray) -> None:
            if self._protocol.may_begin:
                self._writer.write(self._protocol.success())
            self._writer.write_content(data)

        (hand_out or self._weights.write)(pointer, write)
        self._writer.write(self._protocol.end())

    def _answer(self, content: bytes) -> None:
        self._writer.write(self._protocol.success())
        self._writer.write_content(content)
        self._writer.write(self._protocol.end())

    def _pass_through(self, content: Content) -> None:
        """Content of any size as it came. git reads nothing before it has written all, so it must lie somewhere meanwhile."""
        head = content.peek(_SMALL_BYTES + 1)
        if len(head) <= _SMALL_BYTES:
            content.drain()
            self._answer(head)
            return
        from tempfile import SpooledTemporaryFile

        buffer = memoryview(bytearray(_COPY_BYTES))
        with SpooledTemporaryFile(_SPOOL_BYTES) as spool:
            while count := content.readinto(buffer):
                spool.write(buffer[:count])
            spool.seek(0)
            self._writer.write(self._protocol.success())
            while data := spool.read(_COPY_BYTES):
                self._writer.write_content(data)
            self._writer.write(self._protocol.end())


def _is_of_a_stash(settings: Settings) -> bool:
    """`git stash pop` puts untracked files back by `git checkout-index` over an index of its own: nothing else names them any more,
    so they must come back whole."""
    return settings.environment.get("GIT_INDEX_FILE", "").replace("\\", "/").rpartition("/")[2].startswith("index.stash.")


def _as_git_stores_it(head: bytes) -> bytes:
    """Before git asks for a smudge it changes line ends, where an attribute after ours turned that on again; editors do so too. It
    happens to the pointer, never to the weights."""
    from git_lepton.format.pointer import claims_to_be_pointer

    return head.replace(b"\r\n", b"\n") if claims_to_be_pointer(head) else head


def _pointer_in(head: bytes) -> Pointer | None:
    """The pointer that a content beginning so is, None for ordinary content. Raises BadPointer, UnknownPointerVersion."""
    try:
        return parse_pointer(_as_git_stores_it(head))
    except NotAPointer:
        return None


def _trouble_with(head: bytes) -> LeptonError | None:
    """Why a content beginning so is neither a pointer nor to be taken for weights, if it is not."""
    from git_lepton.format.placeholders import placeholder

    try:
        _pointer_in(head)
    except (BadPointer, UnknownPointerVersion) as error:
        return error
    return placeholder(head)


def _open_workspace() -> Workspace:
    """The repository that git works in. It has weights: so a push from it is to send them."""
    from git_lepton.entry.interruption import end_soon_when_interrupted
    from git_lepton.workflow.setup.push_guard import ensure_guarded
    from git_lepton.workspace import open_workspace

    end_soon_when_interrupted(quietly=True)  # before threads are at work
    workspace = open_workspace()
    ensure_guarded(workspace)
    return workspace


def _take_standard_streams() -> tuple[int, int]:
    """Binary descriptors to talk to git; what prints to standard output from here on reaches standard error."""
    if sys.platform == "win32":
        import msvcrt

        for descriptor in (0, 1):
            msvcrt.setmode(descriptor, os.O_BINARY)
    sink = os.dup(1)
    os.dup2(2, 1)
    return 0, sink
