"""Usage along history: what each version of a line added to the weights, and what would go with a branch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from git_lepton.errors import LeptonError
from git_lepton.format.pointer import Pointer, parse_pointer
from git_lepton.git.history import CommitFiles, commits_with_files
from git_lepton.git.promised import bring_small_files
from git_lepton.git.repository import GitRepository
from git_lepton.store.accounting import Account, Bill
from git_lepton.store.local_store import LocalStore
from git_lepton.workspace import Workspace


@dataclass(frozen=True)
class VersionCost:
    """A commit that brought weights. The bill is of what it brought that no version before it has; `absent`: how many of its
    objects are not here (they count as files only)."""

    commit: str
    day: str
    subject: str
    bill: Bill
    absent: int


@dataclass(frozen=True)
class BranchCost:
    """What only this branch reaches: how many objects, and the bill of what no other branch, tag or remote branch needs."""

    branch: str
    objects: int
    bill: Bill
    absent: int


def version_costs(workspace: Workspace, revision: str = "HEAD") -> list[VersionCost]:
    """The versions of a revision along first parents, oldest first; what bytes an earlier one has, a later one does not cost."""
    workspace.store.refresh()
    bring_small_files(workspace.git, [revision])
    commits = list(commits_with_files(workspace.git, revision))
    known = _pointers(workspace.git, commits)
    account = Account(workspace.store)
    costs = []
    for commit in commits:
        pointers = [known[blob] for _, blob in commit.files if blob in known]
        if pointers:
            bill, absent = _charge(workspace.store, account, pointers)
            costs.append(VersionCost(commit.commit, commit.day, commit.subject, bill, absent))
    return costs


def branch_cost(workspace: Workspace, branch: str) -> BranchCost:
    """What deleting a local branch would set free, once git has forgotten its reflog too (`git reflog expire`, `git gc`)."""
    git, store = workspace.git, workspace.store
    store.refresh()
    bring_small_files(git, list(git.refs().values()))
    name = f"refs/heads/{branch}"
    others = [commit for ref, commit in git.refs().items() if ref != name]
    account = Account(store)
    _charge(store, account, _reached(git, others))
    own = _reached(git, [name], others)
    bill, absent = _charge(store, account, own)
    return BranchCost(branch, len(own), bill, absent)


def _reached(git: GitRepository, tips: Sequence[str], excluded: Sequence[str] = ()) -> list[Pointer]:
    blobs = git.new_small_blobs(tips, excluded, promised=True) if tips else ()
    return list(dict.fromkeys(filter(None, (_pointer(blob.data) for blob in blobs))))


def _pointers(git: GitRepository, commits: Iterable[CommitFiles]) -> dict[str, Pointer]:
    """The pointers among the files of these commits, by blob."""
    names = sorted({blob for commit in commits for _, blob in commit.files})
    return {blob.blob: pointer for blob in git.small_blobs(names) if (pointer := _pointer(blob.data))}


def _pointer(data: bytes) -> Pointer | None:
    try:
        return parse_pointer(data)
    except LeptonError:
        return None  # an ordinary file, or a pointer that names nothing we could count


def _charge(store: LocalStore, account: Account, pointers: Iterable[Pointer]) -> tuple[Bill, int]:
    bill, absent = Bill(), 0
    for pointer in pointers:
        manifest = store.manifest(pointer.oid)
        if manifest is None:
            bill, absent = bill + Bill(logical=pointer.size), absent + 1
        else:
            bill += account.charge(manifest.entries)
    return bill, absent
