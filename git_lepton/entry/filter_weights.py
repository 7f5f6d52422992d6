"""The weights of a repository as the filter process needs them, opened only when a file with weights comes by.

One process serves one git command (or all of a rebase): what could not be reached once is not asked for again, files that are too
large for git's pipe are remembered until git is done, and what stays a pointer is said once, at the end.
"""

from __future__ import annotations

import os
import sys

from git_lepton.errors import LeptonError, NetworkTrouble, NotAllowed, WeightsMissing, WrongUse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from git_lepton.format.pointer import Pointer
    from git_lepton.git.pkt_line import Content
    from git_lepton.workflow.bases.candidates import BasePlaces
    from git_lepton.workflow.bases.finder import BaseFinder
    from git_lepton.workflow.checkout.just_written import JustWritten
    from git_lepton.workspace import Workspace

_PULL = "bring the weights later: git lepton pull"


_NAMED = 5  # paths in a message


class Weights:
    """The weights of one repository, for the filter. `open_workspace` is called once, when they are first needed."""

    def __init__(self, open_workspace: Callable[[], Workspace]) -> None:
        self._open = open_workspace
        self._workspace: Workspace | None = None
        self._is_new = False  # a clone or work tree that is checked out for the first time: git writes its index at the end
        self._trouble: LeptonError | None = None  # why the store was no help
        self._out_of_reach = False
        self._after_git: dict[str, Pointer] = {}
        self._stay: set[str] = set()
        self._not_here: list[str] = []  # paths whose pointer was shown to who only looks
        self._unmerged: set[str] | None = None
        self._taken_away: dict[str, LeptonError] = {}  # what the store took away on the record, by path
        self._just_written: dict[str, JustWritten] | None = None
        self._kept = False
        self._places: BasePlaces | None = None
        self._bases: BaseFinder | None = None

    @property
    def workspace(self) -> Workspace:
        if self._workspace is None:
            self._workspace = self._open()
            git = self._workspace.git
            self._is_new = git.top_level is not None and not (git.git_dir / "index").exists()
        return self._workspace

    def keep(self, path: str, content: Content) -> bytes:
        """Store the file at `path`; gives the text of its pointer when the weights are durable."""
        from git_lepton.format.coding.encoded import DIFFERENCE, RELEASED
        from git_lepton.workflow.clean import clean

        self._kept = True
        codecs, bases = self.workspace.settings.codecs, self._find_bases()
        allowed = RELEASED if codecs is None else codecs
        text = clean(content, self.workspace.store, allowed, bases.of(path) if DIFFERENCE in allowed else None)
        bases.added(path, text)
        return text

    def _find_bases(self) -> BaseFinder:
        """Earlier versions to code new ones against; git is asked for them when the first piece comes that is not stored."""
        if self._bases is None:
            from git_lepton.workflow.bases.candidates import BasePlaces
            from git_lepton.workflow.bases.finder import BaseFinder
            from git_lepton.workflow.sync.known_bases import known_bases

            store = self.workspace.store
            self._places = BasePlaces(self.workspace.git, lambda: known_bases(store.root))
            self._bases = BaseFinder(store, self._places)
        return self._bases

    def confirm(self, path: str, content: Content) -> bytes | None:
        """The pointer of a file that our own process has just written, if it still is that; None for any other file."""
        from git_lepton.workflow.checkout.just_written import VARIABLE, confirm, read_list

        if self._just_written is None:
            place = self.workspace.settings.environment.get(VARIABLE)
            self._just_written = read_list(place) if place else {}
        file = self._just_written.get(path)
        return confirm(file, content) if file else None

    def is_large(self, pointer: Pointer) -> bool:
        """Whether git should not hold this file in memory."""
        return pointer.size > self.workspace.settings.smudge_limit

    def write_after_git(self, path: str, pointer: Pointer) -> None:
        """Promise to write a file when git is done. Raises where that is bound to fail; not for a store that can't be reached."""
        from git_lepton.workflow.checkout.materialise import ensure_possible

        if self._out_of_reach:
            self._stay.add(path)
            return
        try:
            ensure_possible(self.workspace, pointer, sum(other.size for other in self._after_git.values()))
        except LeptonError as error:
            if self.may_stay_pointer(path, error):
                return
            if not _is_out_of_reach(error):
                raise
            self._out_of_reach, self._trouble = True, error
            self._stay.add(path)
        else:
            self._after_git[path] = pointer

    def bring(self, pointers: Iterable[Pointer]) -> None:
        """Fetch what lacks, all together. What goes wrong is kept for those files that then are not there."""
        from git_lepton.entry.terminal import progress
        from git_lepton.workflow.sync.fetch import fetch_weights

        if self._out_of_reach:
            return
        workspace = self.workspace
        try:
            fetch_weights(workspace.store, pointers, lambda needed: workspace.fetch(needed, progress("Downloading")))
        except LeptonError as error:
            self._trouble, self._out_of_reach = error, _is_out_of_reach(error)

    def write_stored(self, pointer: Pointer, write: Callable[[bytes | bytearray], object]) -> None:
        """Hand out the bytes of an object. Raises WeightsMissing, before the first byte, where it is not here."""
        from git_lepton.workflow.checkout.smudge import write_object

        write_object(pointer, self.workspace.store, write)

    def write(self, pointer: Pointer, write: Callable[[bytes | bytearray], object]) -> None:
        """Hand out the bytes of an object that was brought. Raises, before the first byte, why it is not here."""
        try:
            self.write_stored(pointer, write)
        except WeightsMissing as error:
            from git_lepton.workflow.checkout.materialise import why_missing

            raise why_missing(self._trouble or error, pointer) from error

    def may_stay_pointer(self, path: str, error: LeptonError) -> bool:
        """Whether this file, not here because of `error`, stays a pointer since the store can't be reached or took the weights away;
        then it is named at the end."""
        from git_lepton.transfer.tombstones import WeightsTakenAway

        if isinstance(error, WeightsTakenAway):
            self._taken_away[path] = error
        elif self._out_of_reach:
            self._stay.add(path)
        return self._out_of_reach or path in self._taken_away

    def is_unmerged(self, path: str) -> bool:
        """Whether the index has a conflict at this path."""
        if self._unmerged is None:
            listed = self.workspace.git.run("ls-files", "--unmerged", "--full-name", "-z").split(b"\0")
            self._unmerged = {os.fsdecode(line.partition(b"\t")[2]) for line in listed if line}
        return path in self._unmerged

    def note_not_here(self, path: str) -> None:
        """Somebody who only looks at a version gets the pointer at `path`, since nothing is fetched for that; said at the end."""
        self._not_here.append(path)

    def finish(self) -> int:
        """git is done: write what was promised, say what is not there, close. Gives an exit code."""
        if self._workspace is None:
            return 0
        try:
            code = self._materialise() if self._after_git else 0
            if self._stay and self._trouble:
                complain(
                    f"{count(self._stay, 'file')} left as pointers: {self._trouble.message}",
                    f"{self._trouble.hint}\n{_PULL}".strip(),
                )
                code = self._trouble.exit_code
            if self._not_here:
                complain(
                    f"{count(set(self._not_here), 'file')} shown as pointers ({self._not_here[0]}): the weights are not on this machine",
                    "git lepton fetch REV brings those of a version.",
                )
            if self._taken_away:
                code = _tell_of_failed(self._taken_away)
            self._look_at_clone()
            if self._places:
                self._places.close()
                _tell_of_bases(self._places)
            if self._kept:
                self._tell_of_hook()
                self._reclaim()
        finally:
            self._workspace.close()
        return code

    def _look_at_clone(self) -> None:
        """Say of a new clone which pointers no filter will ever see. A partial one, which would have to fetch them, is not asked."""
        workspace = self.workspace
        if self._is_new and not self._kept and not workspace.git.is_partial() and not workspace.settings.skip_smudge:
            from git_lepton.entry.uncovered import warn_of_clone

            warn_of_clone(workspace.git, workspace.commit)

    def _tell_of_hook(self) -> None:
        """What was added just now will be pushed one day: say so where the push would leave it behind."""
        from git_lepton.workflow.setup.push_guard import unguarded

        if missing := unguarded(self.workspace):
            complain(missing.message, missing.hint)

    def _reclaim(self) -> None:
        """Let go of versions that nothing refers to, where they have become many; the files that git asked about are stored."""
        from git_lepton.workflow.upkeep.prune import needed_objects
        from git_lepton.workflow.upkeep.reclaim import reclaim

        workspace = self.workspace
        try:
            workspace.store.close()  # seals what this process added, so that it can be looked at like all else
            reclaim(workspace.store, lambda: needed_objects(workspace), workspace.settings.scratch_limit)
        except LeptonError as error:
            complain(f"the store of weights was not tidied: {error.message}", error.hint)

    def _materialise(self) -> int:
        from git_lepton.entry.terminal import progress
        from git_lepton.workflow.checkout.materialise import materialise

        done = materialise(self.workspace, self._after_git, progress)
        code = _tell_of_failed(done.failed)
        if done.index_trouble:
            complain(done.index_trouble.message, done.index_trouble.hint)
        return code


def _tell_of_failed(failed: Mapping[str, LeptonError]) -> int:
    """Say which files stay pointers and why, a line for each reason, and what to do once for all of the same; an exit code."""
    from git_lepton.transfer.tombstones import WeightsTakenAway

    reasons: dict[str, list[LeptonError]] = {}  # by hint
    for error in {error.message: error for error in failed.values()}.values():
        hint = error.hint if isinstance(error, WeightsTakenAway) else f"{error.hint}\n{_PULL}".strip()
        reasons.setdefault(hint, []).append(error)
    for hint, errors in reasons.items():
        for error in errors:
            paths = [path for path, other in failed.items() if other.message == error.message]
            last = error is errors[-1]
            complain(f"{count(paths, 'file')} left as pointers ({_named(paths)}): {error.message}", hint if last else "")
    return max((error.exit_code for error in failed.values()), default=0)


def _named(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
    return f"{', '.join(paths[:_NAMED])}{more}"


def _tell_of_bases(places: BasePlaces) -> None:
    """Say which bases were meant to be used and could not be."""
    for model, base in places.not_fetched.items():
        complain(
            f"{model} was stored without its base {base}, which is not on this machine",
            "git lepton fetch brings it; later versions are then stored as differences to it.",
        )
    for model, named in places.not_in_git.items():
        complain(
            f"{model} was stored without its base {named}: git has no weights there",
            "Correct it in lepton.toml, or add and commit the base first; later versions are then stored as differences to it.",
        )
    if places.trouble:
        complain(f"weights were stored without some of their bases: {places.trouble.message}", places.trouble.hint)


def complain(message: str, hint: str) -> None:
    """One sentence on standard error, and what to do about it."""
    if sys.stderr is not None:
        from git_lepton.entry import boundary

        boundary.complain(LeptonError(message, hint))


def count(things: Iterable[object], noun: str) -> str:
    """`1 file`, `2 files`."""
    number = len(list(things))
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _is_out_of_reach(error: LeptonError) -> bool:
    """Whether the store is not to be had at all (no network, no rights, none configured), which no file is to blame for."""
    from git_lepton.store.chunk_store import StoreBusy, StoreFull, StoreNotWritable
    from git_lepton.workflow.checkout.materialise import NoRoom

    ours = isinstance(error, (StoreBusy, StoreFull, StoreNotWritable, NoRoom))
    return isinstance(error, (NetworkTrouble, NotAllowed, WrongUse)) and not ours
