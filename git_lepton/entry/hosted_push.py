"""The part of a push through the remote helper that needs more than git: loaded when weights are to travel."""

from __future__ import annotations

from git_lepton.entry.terminal import ProgressLine
from git_lepton.format.coding.memory import reuse_freed_memory
from git_lepton.settings import Settings
from git_lepton.store.local_store import LocalStore
from git_lepton.transfer.progress import SILENT
from git_lepton.transfer.refusals import NotFound
from git_lepton.transfer.remote_store import RemoteStore, connect
from git_lepton.transfer.tombstones import taken_away
from git_lepton.transfer.upload import Uploaded, upload
from git_lepton.workflow.push import push_weights

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from git_lepton.format.identifiers import ObjectId
    from git_lepton.format.pointer import Pointer
    from git_lepton.git.repository import GitRepository
    from git_lepton.transfer.progress import Progress


def push_hosted(
    git: GitRepository, url: str, wanted: Sequence[tuple[Pointer, str]], tips: Sequence[str], *, show_progress: bool
) -> None:
    """Send weights to the repository that also gets the refs, whatever lepton.url says: its server looks nowhere else."""
    reuse_freed_memory()
    settings = Settings(git)
    store = LocalStore(git.common_dir / "lepton")
    remote = connect(settings.location_of_url(url), settings)
    try:
        progress = ProgressLine("Uploading weights") if show_progress else SILENT
        push_weights(git, store, _Server(store, remote), wanted, tips, progress)
    finally:
        remote.close()
        store.close()


class _Server:
    """A push's destination that is a server."""

    def __init__(self, store: LocalStore, remote: RemoteStore) -> None:
        self._store, self._remote = store, remote

    def stored(self, pointers: Sequence[Pointer]) -> set[ObjectId]:
        try:
            return self._remote.stored([pointer.oid for pointer in pointers])
        except NotFound:  # the first push makes the repository
            return set()

    def taken_away(self, pointers: Sequence[Pointer]) -> Collection[ObjectId]:
        return taken_away(self._remote, [pointer.oid for pointer in pointers])

    def push(self, pointers: Sequence[Pointer], progress: Progress) -> Uploaded:
        return upload(self._store, self._remote, pointers, progress)
