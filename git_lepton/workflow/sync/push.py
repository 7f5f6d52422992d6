"""Pushing: the weights that a push brings, and sending them before its refs move."""

from __future__ import annotations

from git_lepton.errors import CorruptData, LeptonError, WeightsMissing, WrongUse
from git_lepton.format.pointer import BadPointer, NotAPointer, Pointer, UnknownPointerVersion, parse_pointer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from typing import Protocol

    from git_lepton.format.identifiers import ObjectId
    from git_lepton.git.repository import GitRepository
    from git_lepton.store.local_store import LocalStore
    from git_lepton.transfer.progress import Progress
    from git_lepton.transfer.push_bases import BaseSources
    from git_lepton.transfer.upload import Uploaded

    Bring = Callable[[Sequence[Pointer]], object]

    class Destination(Protocol):
        """The store that a push goes to."""

        def stored(self, pointers: Sequence[Pointer]) -> set[ObjectId]:
            """Which of these objects are there, verified."""

        def taken_away(self, pointers: Sequence[Pointer]) -> Collection[ObjectId]:
            """Which of these objects, none of which is there, were taken away on the record: their pointers travel without them."""

        def push(self, pointers: Sequence[Pointer], progress: Progress, sources: BaseSources | None = None) -> Uploaded:
            """Send these objects; verified and durable on return. What they may lie on: each other and `sources`."""


_NAMED = 5  # paths in a message


class PushLacksWeights(WeightsMissing):
    """Commits that are to be pushed name weights that are neither here nor in the store."""

    def __init__(self, missing: Sequence[tuple[Pointer, str]], elsewhere: LeptonError | None = None) -> None:
        shown = ", ".join(f"{path} ({pointer.oid})" for pointer, path in missing[:_NAMED])
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        super().__init__(
            f"weights that this push needs are neither on this machine nor in the store: {shown}{more}",
            self._hint(elsewhere),
        )
        self.missing = missing

    @staticmethod
    def _hint(elsewhere: LeptonError | None) -> str:
        """What helps, by what the stores of other remotes said."""
        if elsewhere and not isinstance(elsewhere, (WeightsMissing, WrongUse)):
            return f"Another remote's store could not be asked: {elsewhere.message}. If they are there: git lepton fetch --all"
        rest = "un `git lepton push` where they are, or put the files back (or remove them) and commit that."
        if isinstance(elsewhere, WeightsMissing):  # all were asked
            return f"R{rest}"
        return f"If another server has them: git remote add NAME lepton::ITS_ADDRESS && git lepton fetch --all NAME. Else r{rest}"


class PushBringsDamagedPointers(CorruptData):
    """Commits that are to be pushed have damaged pointers at tracked paths, which the remote has not yet."""

    def __init__(self, paths: Sequence[str]) -> None:
        more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
        super().__init__(
            f"this push brings damaged pointers: {', '.join(paths[:_NAMED])}{more}",
            "Add the weights again and amend or rebase the commits that have them. As they are: git push --no-verify",
        )


def pointers_to_push(
    git: GitRepository, tips: Sequence[str], excluded: Sequence[str], *, old: bool = False, damaged: dict[str, str] | None = None
) -> list[tuple[Pointer, str]]:
    """The pointers that commits `tips` reach and `excluded` do not, each once, with one of its paths.

    Paths may have any attributes: those of somebody's work tree may be others. Names that are not here are skipped in `excluded`.
    Raises UnknownPointerVersion for one at a path that is ours; not for `old` history, which cannot be helped any more. `damaged`
    takes the blobs of pointers that are none, each with one of its paths.
    """
    found: dict[Pointer, str] = {}
    for blob in git.new_small_blobs(tips, excluded, promised=True):  # a promisor may be another remote
        try:
            found.setdefault(parse_pointer(blob.data), blob.path)
        except NotAPointer:
            continue
        except BadPointer:
            if damaged is not None:
                damaged[blob.blob] = blob.path
        except UnknownPointerVersion:
            if not old and _ours(git, [blob.path], tips):
                raise
    return list(found.items())


def pointers_brought_again(
    git: GitRepository, tips: Sequence[str], known: Sequence[str], besides: Iterable[tuple[Pointer, str]]
) -> list[tuple[Pointer, str]]:
    """Pointers, `besides` these, that commits put at a path though `known` ones have the same pointer somewhere: a copy, or an old
    version that came back. Its weights may have gone meanwhile. A partial clone, which may lack what to compare with, is not asked."""
    if git.is_partial() or not git.present(known):
        return []
    from git_lepton.git.history import blobs_brought

    paths = {blob: path for path, blob in blobs_brought(git, tips, known)}
    seen = {pointer for pointer, _ in besides}
    found: dict[Pointer, str] = {}
    for small in git.small_blobs(list(paths)):
        try:
            pointer = parse_pointer(small.data)
        except (NotAPointer, BadPointer, UnknownPointerVersion):
            continue
        if pointer not in seen:
            found[pointer] = paths[small.blob]
    return list(found.items())


def refuse_damaged(git: GitRepository, damaged: Mapping[str, str], tips: Sequence[str]) -> None:
    """A server of ours refuses damaged pointers at tracked paths; before any other remote it is done here. `damaged` as
    `pointers_to_push` fills it. Raises PushBringsDamagedPointers."""
    if not damaged:
        return
    trees = git.present([f"{tip}^{{tree}}" for tip in tips])
    standing = [blob.path for tree in trees for blob in git.small_blobs_in_tree(tree) if blob.blob in damaged]
    paths = list(dict.fromkeys([*damaged.values(), *standing]))
    if ours := _ours(git, paths, tips):
        raise PushBringsDamagedPointers([path for path in paths if path in ours])


def pointers_in_trees(git: GitRepository, tips: Sequence[str]) -> list[tuple[Pointer, str]]:
    """The pointers that stand in the trees of these commits, whoever brought them. Raises as `pointers_to_push`."""
    trees = git.present([f"{tip}^{{tree}}" for tip in tips])  # a tag may name a blob
    return pointers_to_push(git, trees, []) if trees else []


def push_earlier(
    store: LocalStore,
    destination: Destination,
    earlier: Sequence[tuple[Pointer, str]],
    progress: Progress,
    sources: BaseSources | None = None,
) -> list[tuple[Pointer, str]]:
    """Send what `destination` lacks of these pointers of versions that were pushed before; gives those that are not here either. They may
    lie on each other and on `sources`."""
    stored = destination.stored([pointer for pointer, _ in earlier]) if earlier else set()
    store.refresh()
    lacking = {pointer: path for pointer, path in earlier if pointer.oid not in stored}
    here = [pointer for pointer in lacking if store.manifest(pointer.oid) is not None]
    if here:
        destination.push(here, progress, sources)
    absent = {pointer: path for pointer, path in lacking.items() if pointer not in here}
    return _lacking(absent, destination, stored) if absent else []


def push_weights(
    store: LocalStore,
    destination: Destination,
    wanted: Sequence[tuple[Pointer, str]],
    progress: Progress,
    sources: BaseSources | None = None,
    elsewhere: Bring | None = None,
) -> Uploaded | None:
    """Send what `destination` lacks of these pointers; None where nothing had to be asked or sent. What it may lie on: each other and
    `sources`.

    `elsewhere` brings into the store what is neither here nor there, or raises why it cannot: a clone to which little was checked out
    is pushed to another server. Raises PushLacksWeights, before anything is sent, and what `destination` raises.
    """
    store.refresh()
    here = [pointer for pointer, _ in wanted if store.manifest(pointer.oid) is not None]
    absent = dict(wanted)
    for pointer in here:
        del absent[pointer]
    if absent:
        here += _brought(absent, store, destination, elsewhere)
    return destination.push(here, progress, sources) if here else None


def reached_objects(git: GitRepository, commits: Sequence[str]) -> Iterator[ObjectId]:
    """The objects of the pointers that these commits reach, those of the newest commits first, looked up as far as somebody asks."""
    from git_lepton.git.history import small_blobs_reached

    for data in small_blobs_reached(git, commits):
        try:
            yield parse_pointer(data).oid
        except (NotAPointer, BadPointer, UnknownPointerVersion):
            continue


def base_sources(
    git: GitRepository, store: LocalStore, known: Sequence[str], allowed: Collection[str] | None = None
) -> BaseSources:
    """What may lie under what is pushed: what `known` commits of the destination reach, and, unless `allowed` is None, bases in other
    repositories that were fetched; `allowed` names those (OWNER/REPO) whose weights may be published there."""
    from git_lepton.transfer.push_bases import BaseSources, Reached
    from git_lepton.workflow.sync.known_bases import known_bases

    elsewhere: dict[str, list[ObjectId]] = {}
    for base, objects in known_bases(store.root).items() if allowed is not None else ():
        elsewhere.setdefault(base.repository, []).extend(objects)
    return BaseSources(Reached(reached_objects(git, known)), elsewhere, allowed or ())


def _brought(absent: dict[Pointer, str], store: LocalStore, destination: Destination, elsewhere: Bring | None) -> list[Pointer]:
    """Those of these that `destination` needs, which are here now."""
    lacking = _lacking(absent, destination, destination.stored(list(absent)))
    trouble: LeptonError | None = None
    if lacking and elsewhere:
        try:
            elsewhere([pointer for pointer, _ in lacking])
        except LeptonError as error:
            trouble = error
        store.refresh()
    left = [(pointer, path) for pointer, path in lacking if store.manifest(pointer.oid) is None]
    if left:
        raise PushLacksWeights(left, trouble)
    return [pointer for pointer, _ in lacking]


def _lacking(absent: dict[Pointer, str], destination: Destination, stored: set[ObjectId]) -> list[tuple[Pointer, str]]:
    """Those of these that are not stored, and not taken away on the record."""
    missing = [(pointer, path) for pointer, path in absent.items() if pointer.oid not in stored]
    gone = destination.taken_away([pointer for pointer, _ in missing]) if missing else ()
    return [(pointer, path) for pointer, path in missing if pointer.oid not in gone]


def _ours(git: GitRepository, paths: Iterable[str], tips: Sequence[str]) -> set[str]:
    """Those of these paths that have filter=lepton in one of the commits: what the work tree says may be another branch's."""
    undecided, ours = set(paths), set[str]()
    for tip in tips:
        if undecided and git.rev_parse(f"{tip}^{{tree}}"):  # a tag may name a blob
            found = git.lepton_paths(sorted(undecided), tip)
            ours |= found
            undecided -= found
    return ours
