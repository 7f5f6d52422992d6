"""Frees the disk of weights that this repository does not need: which ones, and how sure one must be.

Nothing that a ref, a reflog, a stash, an index or a worktree reaches goes without the server's word that it has it and that one of its
refs reaches it now, or that it was taken away there on purpose; and what is checked out, staged, stashed or not yet pushed does not go at
all; nor does a base in another repository while lepton.toml names it. What was damaged and is whole again is cleared away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from git_lepton.errors import LeptonError
from git_lepton.format.identifiers import ObjectId
from git_lepton.format.pointer import Pointer, parse_pointer
from git_lepton.git.held import blobs_in_indexes, heads, noted_objects
from git_lepton.git.repository import GitRepository
from git_lepton.store.chunk_store import Pruned
from git_lepton.store.compaction import clear_damage
from git_lepton.workflow.bases.foreign import objects_in_use
from git_lepton.workflow.sync.remote_reach import names_of_refs
from git_lepton.workflow.upkeep.reclaim import SPARED_S
from git_lepton.workspace import Workspace


@dataclass(frozen=True)
class PruneResult:
    """`pruned` went (or would). `kept` objects would have gone too, did the store keep them. `cleared` packs were damaged, and nothing that
    they held is lost any more."""

    pruned: Pruned
    kept: int
    cleared: int = 0


def prune(workspace: Workspace, *, verify_remote: bool = False, dry_run: bool = False, spared_s: float = SPARED_S) -> PruneResult:
    """Drop what nothing reaches; with `verify_remote` also pushed objects that are not in use, those that the store says it has.

    Whatever was stored in the last `spared_s` seconds stays: git names in its index what `git add` stored only when it ends.
    """
    git, store = workspace.git, workspace.store
    store.refresh()
    here = {manifest.oid: manifest.size for manifest in store.manifests()}
    keep = referenced_objects(git) & here.keys()
    kept = 0
    if verify_remote:
        pushed = keep - _in_use(git) - _reached(git, list(git.refs("refs/remotes").values()))
        confirmed = _kept_there(workspace, [Pointer(oid, here[oid]) for oid in pushed]) if pushed else set()
        keep -= confirmed
        kept = len(pushed) - len(confirmed)
    keep |= objects_in_use(workspace)
    pruned = store.prune(keep, older_than_s=spared_s, dry_run=dry_run)
    return PruneResult(pruned, kept, 0 if dry_run else len(clear_damage(store)))


def _kept_there(workspace: Workspace, pushed: list[Pointer]) -> set[ObjectId]:
    """Those of these objects that this machine need not keep: the store has them, and a ref of it reaches them now (what it merely still
    has, its next gc may take); or it let go of them on purpose."""
    stored = workspace.stored(pushed, looked_at=True)
    absent = [pointer for pointer in pushed if pointer.oid not in stored]
    gone = workspace.taken_away(absent) if absent else {}
    refs = names_of_refs(workspace)
    if refs is not None:
        stored &= _objects(workspace.git, refs)
    return stored | {oid for oid, why in gone.items() if why.on_purpose}


def needed_objects(workspace: Workspace) -> set[ObjectId]:
    """What git refers to here, and the bases in other repositories that lepton.toml names."""
    return referenced_objects(workspace.git) | objects_in_use(workspace)


def referenced_objects(git: GitRepository) -> set[ObjectId]:
    """The objects that refs, reflogs, stashes, unfinished merges and the like, and HEAD and index of every worktree reach."""
    return _reached(git, ()) | _in_use(git)


def _reached(git: GitRepository, excluded: Sequence[str]) -> set[ObjectId]:
    """What commits of refs, HEADs, reflogs (the stash is one) and unfinished operations reach and the excluded ones do not."""
    tips = git.text("rev-list", "--no-walk", "--all", "--reflog").split()
    return _objects(git, [*tips, *git.present(sorted(noted_objects(git)))], excluded)


def _in_use(git: GitRepository) -> set[ObjectId]:
    """What HEAD and index of every worktree hold, at any path: attributes may be about to change."""
    trees = [f"{commit}^{{tree}}" for commit in heads(git)]
    return _objects(git, [*trees, *sorted(blobs_in_indexes(git))])


def _objects(git: GitRepository, tips: Sequence[str], excluded: Sequence[str] = ()) -> set[ObjectId]:
    found = set()
    for blob in git.new_small_blobs(tips, excluded, promised=True) if tips else ():
        try:
            found.add(parse_pointer(blob.data).oid)
        except LeptonError:
            continue  # an ordinary file, or a pointer that names nothing we could keep
    return found
