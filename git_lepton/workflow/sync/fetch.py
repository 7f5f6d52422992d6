"""Fetching: the weights that some versions need, and bringing them here."""

from __future__ import annotations

from git_lepton.errors import CorruptData
from git_lepton.format.globs import path_chooser
from git_lepton.format.pointer import (
    BadPointer,
    NotAPointer,
    Pointer,
    UnknownPointerVersion,
    claims_to_be_pointer,
    is_pointer,
    parse_pointer,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from git_lepton.errors import LeptonError
    from git_lepton.git.repository import GitRepository, SmallBlob
    from git_lepton.store.local_store import LocalStore
    from git_lepton.transfer.download import Downloaded


def pointers_of(
    git: GitRepository,
    revisions: Sequence[str] = (),
    *,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    unreadable: dict[str, LeptonError] | None = None,
) -> list[tuple[Pointer, str]]:
    """The pointers in these revisions (none: in the index, at paths with filter=lepton), each once, with one of its paths.

    `include` and `exclude` are patterns with *, ? and **, as in .gitignore: `*.bin` at any depth, `models` with all below it,
    `models/*.bin` from the top. No `include` means everything but what a sparse checkout leaves out of the work tree.
    `unreadable` takes the paths of damaged pointers and of those of later versions, where the path is ours, and why; without it such a
    one is raised (BadPointer, UnknownPointerVersion).
    """
    wanted = path_chooser(include, exclude)
    left_out = set() if include else skipped_paths(git)
    found: dict[Pointer, str] = {}
    for path, pointer in readable(
        (blob for blob in _blobs(git, revisions) if wanted(blob.path) and blob.path not in left_out), unreadable
    ):
        found.setdefault(pointer, path)
    return list(found.items())


def skipped_paths(git: GitRepository) -> set[str]:
    """What a sparse checkout leaves out of the work tree."""
    if git.config("core.sparseCheckout") != "true":
        return set()
    return {entry.path for entry in git.index_entries() if entry.skipped}


def pointers_by_path(git: GitRepository, revision: str) -> dict[str, Pointer]:
    """The pointers in a revision at paths with filter=lepton. Raises BadPointer, UnknownPointerVersion."""
    return dict(readable(_blobs(git, [revision]), None))


def readable(blobs: Iterable[SmallBlob], unreadable: dict[str, LeptonError] | None) -> Iterator[tuple[str, Pointer]]:
    """The pointers among blobs, with their paths; empty and ordinary files are passed over. `unreadable` as in `pointers_of`."""
    for blob in blobs:
        try:
            yield blob.path, parse_pointer(blob.data)
        except NotAPointer:
            continue
        except (BadPointer, UnknownPointerVersion) as error:
            if unreadable is None:
                raise
            unreadable[blob.path] = error


def lacking(store: LocalStore, pointers: Iterable[Pointer]) -> list[Pointer]:
    """Those of these objects that cannot be rebuilt from what is stored here."""
    store.refresh()
    return [pointer for pointer in pointers if not _is_whole(store, pointer)]


def fetch_weights(
    store: LocalStore, pointers: Iterable[Pointer], bring: Callable[[Sequence[Pointer]], Downloaded]
) -> Downloaded | None:
    """Bring what the store lacks of these objects, by one call of `bring`; None where nothing lacked. Raises as `bring` does."""
    needed = lacking(store, pointers)
    return bring(needed) if needed else None


def _is_whole(store: LocalStore, pointer: Pointer) -> bool:
    try:
        manifest = store.manifest(pointer.oid)
    except CorruptData:
        return False  # the store has noted that: it will be kept when it comes again
    return manifest is not None and not store.missing(entry.chunk for entry in manifest.entries)


def _blobs(git: GitRepository, revisions: Sequence[str]) -> Iterable[SmallBlob]:
    if not revisions:
        yield from git.small_blobs_in_index()
    for revision in revisions:
        blobs = [blob for blob in git.small_blobs_in_tree(revision) if claims_to_be_pointer(blob.data)]
        doubtful = {blob.path for blob in blobs if not is_pointer(blob.data)}
        ours = git.lepton_paths(doubtful, revision) if doubtful else set()
        yield from (blob for blob in blobs if blob.path not in doubtful or blob.path in ours)
