"""A repository whose model is in safetensors, and what reads versions of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from git_lepton.evidence.models import Model
from git_lepton.format.identifiers import ChunkId
from git_lepton.git.repository import GitRepository
from git_lepton.models.tensor_cache import TensorCache
from git_lepton.models.tree import Tree, index_tree, revision_tree
from git_lepton.models.version import ModelVersion, Versions
from git_lepton.store.local_store import LocalStore
from tests.support.git_sandbox import GitSandbox
from tests.support.tiny_models import safetensors

MODEL = Model("m", ("model/*",))


def weights(*names: str, fill: int = 1, size: int = 4096) -> bytes:
    """A safetensors file with these tensors; what a tensor holds follows from its name and `fill`."""
    return safetensors({name: ("U8", [size], bytes((len(name) * 7 + fill + at) % 251 for at in range(size))) for name in names})


class CountingStore:
    """The local store; `reads` are the chunks that were asked for."""

    def __init__(self, store: LocalStore) -> None:
        self._store = store
        self.reads: list[ChunkId] = []
        self.manifest = store.manifest

    def read(self, name: ChunkId) -> bytes | bytearray:
        self.reads.append(name)
        return self._store.read(name)


class Reading:
    """Versions of one repository, as a new process reads them."""

    def __init__(self, git: GitRepository, store: LocalStore) -> None:
        self.git, self.store = git, CountingStore(store)
        self.versions = Versions(git, TensorCache(self.store, store.root))  # type: ignore[arg-type]

    def tree(self, revision: str = "") -> Tree:
        return revision_tree(self.git, revision) if revision else index_tree(self.git)

    def version(self, revision: str = "", model: Model = MODEL) -> ModelVersion:
        found = self.versions.version(self.tree(revision), model)
        assert found is not None
        return found


@contextmanager
def reading(sandbox: GitSandbox | Path) -> Iterator[Reading]:
    git = GitRepository.find(sandbox.folder if isinstance(sandbox, GitSandbox) else sandbox)
    store = LocalStore(git.common_dir / "lepton")
    try:
        yield Reading(git, store)
    finally:
        store.close()
