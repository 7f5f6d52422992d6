"""Which weights some versions need, and bringing them here."""

from __future__ import annotations

from git_lepton.errors import CorruptData
from git_lepton.format.pointer import NotAPointer, Pointer, parse_pointer
from git_lepton.git.globs import matcher

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from git_lepton.git.repository import GitRepository, SmallBlob
    from git_lepton.store.local_store import LocalStore
    from git_lepton.transfer.download import Downloaded


def pointers_of(
    git: GitRepository, revisions: Sequence[str] = (), *, include: Sequence[str] = (), exclude: Sequence[str] = ()
) -> list[tuple[Pointer, str]]:
    """The pointers in these revisions (none: in the index), each once, with one of its paths, where the path has filter=lepton.

    `include` and `exclude` are patterns with *, ? and **, as in .gitignore: `*.bin` at any depth, `models` with all below it,
    `models/*.bin` from the top. No `include` means everything. Raises BadPointer, UnknownPointerVersion.
    """
    wanted = _chooser(include, exclude)
    found: dict[Pointer, str] = {}
    for blob in _blobs(git, revisions):
        if wanted(blob.path):
            try:
                found.setdefault(parse_pointer(blob.data), blob.path)
            except NotAPointer:
                continue
    return list(found.items())


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
        blobs = git.small_blobs_in_tree(revision)
        ours = git.lepton_paths((blob.path for blob in blobs), revision) if blobs else set()
        yield from (blob for blob in blobs if blob.path in ours)


def _chooser(include: Sequence[str], exclude: Sequence[str]) -> Callable[[str], bool]:
    taken, left = [_matcher(pattern) for pattern in include], [_matcher(pattern) for pattern in exclude]
    return lambda path: (not taken or any(m(path) for m in taken)) and not any(m(path) for m in left)


def _matcher(pattern: str) -> Callable[[str], bool]:
    anchored = "/" in pattern.rstrip("/")
    return matcher(("" if anchored else "**/") + pattern.strip("/"))
