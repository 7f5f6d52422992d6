"""Which weights a push brings, and sending them before its refs move."""

from __future__ import annotations

from git_lepton.errors import WeightsMissing
from git_lepton.format.pointer import BadPointer, NotAPointer, Pointer, UnknownPointerVersion, parse_pointer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from typing import Protocol

    from git_lepton.format.identifiers import ObjectId
    from git_lepton.git.repository import GitRepository
    from git_lepton.store.local_store import LocalStore
    from git_lepton.transfer.progress import Progress
    from git_lepton.transfer.upload import Uploaded

    class Destination(Protocol):
        """The store that a push goes to."""

        def stored(self, pointers: Sequence[Pointer]) -> set[ObjectId]:
            """Which of these objects are there, verified."""

        def taken_away(self, pointers: Sequence[Pointer]) -> Collection[ObjectId]:
            """Which of these objects, none of which is there, were taken away on the record: their pointers travel without them."""

        def push(self, pointers: Sequence[Pointer], progress: Progress) -> Uploaded:
            """Send these objects; verified and durable on return."""


_NAMED = 5  # paths in a message


class PushLacksWeights(WeightsMissing):
    """Commits that are to be pushed name weights that are neither here nor in the store."""

    def __init__(self, missing: Sequence[tuple[Pointer, str]]) -> None:
        shown = ", ".join(f"{path} ({pointer.oid})" for pointer, path in missing[:_NAMED])
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        super().__init__(
            f"weights that this push needs are neither on this machine nor in the store: {shown}{more}",
            "Run `git lepton push` where they are, or put the files back and commit them again.",
        )
        self.missing = missing


def pointers_to_push(git: GitRepository, tips: Sequence[str], excluded: Sequence[str]) -> list[tuple[Pointer, str]]:
    """The pointers that commits `tips` reach and `excluded` do not, each once, with one of its paths.

    Paths may have any attributes: a pointer may stand in a test's fixture. Names that are not here are skipped in `excluded`.
    Raises UnknownPointerVersion for one at a path that is ours.
    """
    found: dict[Pointer, str] = {}
    for blob in git.new_small_blobs(tips, excluded, promised=True):  # a promisor may be another remote
        try:
            found.setdefault(parse_pointer(blob.data), blob.path)
        except (NotAPointer, BadPointer):
            continue  # the server refuses damaged ones at our paths, and names them
        except UnknownPointerVersion:
            if _ours(git, [blob.path], tips):
                raise
    return list(found.items())


def push_weights(
    git: GitRepository,
    store: LocalStore,
    destination: Destination,
    wanted: Sequence[tuple[Pointer, str]],
    tips: Sequence[str],
    progress: Progress,
) -> Uploaded | None:
    """Send what `destination` lacks of these pointers; None where nothing had to be asked or sent.

    Raises PushLacksWeights, before anything is sent, and what `destination` raises.
    """
    store.refresh()
    here = [pointer for pointer, _ in wanted if store.manifest(pointer.oid) is not None]
    absent = dict(wanted)
    for pointer in here:
        del absent[pointer]
    if absent:
        _check_absent(git, absent, destination, tips)
    return destination.push(here, progress) if here else None


def _check_absent(git: GitRepository, absent: dict[Pointer, str], destination: Destination, tips: Sequence[str]) -> None:
    stored = destination.stored(list(absent))
    missing = [(pointer, path) for pointer, path in absent.items() if pointer.oid not in stored]
    ours = _ours(git, (path for _, path in missing), tips)
    gone = destination.taken_away([pointer for pointer, path in missing if path in ours]) if ours else ()
    lacking = [(pointer, path) for pointer, path in missing if path in ours and pointer.oid not in gone]
    if lacking:
        raise PushLacksWeights(lacking)


def _ours(git: GitRepository, paths: Iterable[str], tips: Sequence[str]) -> set[str]:
    """Those of these paths that have filter=lepton in one of the commits: what the work tree says may be another branch's."""
    undecided, ours = set(paths), set[str]()
    for tip in tips:
        if undecided and git.rev_parse(f"{tip}^{{tree}}"):  # a tag may name a blob
            found = git.lepton_paths(sorted(undecided), tip)
            ours |= found
            undecided -= found
    return ours
