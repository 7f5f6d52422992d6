"""Usage of weights: on this disk, and for each path of a version, as files, without repetition, and as they are stored."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from git_lepton.errors import LeptonError
from git_lepton.format.pointer import Pointer, parse_pointer
from git_lepton.store.accounting import Account, Bill
from git_lepton.store.local_store import LocalStore
from git_lepton.workflow.sync.status import stands_as_pointer
from git_lepton.workspace import Workspace


@dataclass(frozen=True)
class PathUsage:
    """What one path takes, without what paths before it take too; only `logical` is known where they are not `here`."""

    path: str
    bill: Bill
    here: bool


@dataclass(frozen=True)
class DiskUsage:
    """`local` bytes are the whole local store of this repository, `work_tree` the real files of the current version in this work
    tree. `paths` are those of the version asked for."""

    local: int
    packs: int
    objects: int
    work_tree: int
    paths: tuple[PathUsage, ...]


def disk_usage(workspace: Workspace, revision: str = "HEAD") -> DiskUsage:
    """The usage of this repository, with the paths of one version."""
    usage = workspace.store.usage()
    pointers = pointers_of(workspace, revision)
    top = workspace.git.top_level
    real = sum(
        pointer.size
        for path, pointer in pointers
        if top and (top / path).is_file() and not stands_as_pointer(top / path, pointer)
    )
    return DiskUsage(usage.stored_bytes, usage.packs, usage.objects, real, tuple(_by_path(workspace.store, pointers)))


def pointers_of(workspace: Workspace, revision: str) -> list[tuple[str, Pointer]]:
    """The pointers of one version with their paths, in git's order; none before the first commit."""
    if workspace.git.rev_parse(f"{revision}^{{tree}}") is None:
        return []
    found = []
    for blob in workspace.git.small_blobs_in_tree(revision):
        try:
            found.append((blob.path, parse_pointer(blob.data)))
        except LeptonError:
            continue  # a small ordinary file, or a pointer that names nothing we could count: `git lepton fsck` names it
    return found


def _by_path(store: LocalStore, pointers: Iterable[tuple[str, Pointer]]) -> Iterable[PathUsage]:
    account = Account(store)
    for path, pointer in pointers:
        manifest = store.manifest(pointer.oid)
        if manifest is None or store.missing(entry.chunk for entry in manifest.entries):
            yield PathUsage(path, Bill(logical=pointer.size), here=False)
        else:
            yield PathUsage(path, account.charge(manifest.entries), here=True)
