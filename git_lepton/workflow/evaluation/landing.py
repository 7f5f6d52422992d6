"""Landing: whether what a range brings may land, by looking alone. Its weights are stored, its tracked files are pointers."""

from __future__ import annotations

from typing import NamedTuple

from git_lepton.format.pointer import claims_to_be_pointer
from git_lepton.models.tree import Tree
from git_lepton.workflow.sync.push import pointers_to_push

TYPE_CHECKING = False
if TYPE_CHECKING:
    from git_lepton.workspace import Workspace


class Weights(NamedTuple):
    """The weight files that a range brings: how many, those whose weights the store has not, damaged pointers, and files that are raw
    where their attributes ask for a pointer; all by path."""

    files: int
    missing: tuple[str, ...]
    damaged: tuple[str, ...]
    raw: tuple[str, ...]

    @property
    def sound(self) -> bool:
        return not (self.missing or self.damaged or self.raw)


def weights_of(workspace: Workspace, base: Tree | None, head: Tree, remote: str | None = None) -> Weights:
    """What the commits of a range bring. Raises what asking the store raises: nothing is taken for stored that was not asked about."""
    damaged: dict[str, str] = {}
    brought = dict(pointers_to_push(workspace.git, [head.commit], [base.commit] if base else [], damaged=damaged))
    there = workspace.stored(list(brought), remote) if brought else set()
    missing = sorted(path for pointer, path in brought.items() if pointer.oid not in there)
    return Weights(len(brought), tuple(missing), tuple(sorted(damaged.values())), tuple(_raw(workspace, base, head)))


def _raw(workspace: Workspace, base: Tree | None, head: Tree) -> list[str]:
    """The files that the head has otherwise than the base, tracked by its attributes, that are neither pointers nor empty."""
    before = base.files if base else {}
    changed = {path: file.blob for path, file in head.files.items() if before.get(path) != file and file.mode.startswith("100")}
    tracked = workspace.git.lepton_paths(changed, head.commit)
    pointers = _pointers(workspace, {path: changed[path] for path in tracked})
    return sorted(path for path in tracked if path not in pointers)


def _pointers(workspace: Workspace, blobs: dict[str, str]) -> set[str]:
    if not blobs:
        return set()
    small = {blob.blob: blob.data for blob in workspace.git.small_blobs(sorted(set(blobs.values())))}
    return {path for path, blob in blobs.items() if blob in small and (not small[blob] or claims_to_be_pointer(small[blob]))}
