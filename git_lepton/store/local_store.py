"""The local store: the weights of one repository on this machine, and what rids it of what nobody needs.

`pack_store` reads and appends; merging and removing packs, and telling what is wrong with them, are modules that use it.
"""

from __future__ import annotations

from collections.abc import Iterator

from git_lepton.format.identifiers import ObjectId
from git_lepton.store.chunk_store import Problem, Pruned, Unreferenced, Usage
from git_lepton.store.pack_store import PackStore


class LocalStore(PackStore):
    """Weights of one repository, in `root` (made on first write). A WritableChunkStore; may also be used as a context manager,
    which closes it."""

    def __enter__(self) -> LocalStore:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Seal the open pack; now and then, merge what small packs have gathered. The store may be used again after it."""
        from git_lepton.store.compaction import tidy

        with self._lock:
            try:
                if self._own.close():
                    tidy(self)
            finally:
                self.files.close()

    def prune(self, keep: set[ObjectId], *, older_than_s: float, dry_run: bool = False) -> Pruned:
        """Drop what is not reachable from the objects in `keep` and was neither added nor asked for in the last `older_than_s`
        seconds (leave some minutes: git names in its index what `git add` stored only when it ends). What living processes
        wrote stays. Raises StoreBusy while weights are being added."""
        from git_lepton.store.compaction import prune

        with self._lock:
            return prune(self, keep, older_than_s, dry_run)

    def unreferenced(self, keep: set[ObjectId]) -> list[Unreferenced]:
        """The objects that are not in `keep`, those longest unused first."""
        from git_lepton.store.reachability import unreferenced

        with self._lock:
            self.refresh()
            return unreferenced(self, keep)

    def usage(self) -> Usage:
        self.refresh()
        packs = self.catalogue.packs()
        return Usage(sum(pack.size for pack in packs), len(packs), len(self.catalogue.manifest_names()))

    def verify(self) -> Iterator[Problem]:
        """Read everything and name what is wrong."""
        from git_lepton.store.verification import problems

        self.refresh()
        return problems(self)
