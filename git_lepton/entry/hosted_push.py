"""The part of a push through the remote helper that needs more than git: loaded when weights are to travel."""

from __future__ import annotations

from functools import partial

from git_lepton.entry.terminal import ProgressLine
from git_lepton.entry.told_bases import tell_bases
from git_lepton.entry.uncovered import warn_of_push
from git_lepton.format.coding.memory import reuse_freed_memory
from git_lepton.settings.base_consent import allowed_bases
from git_lepton.transfer.http.refusals import NotFound
from git_lepton.transfer.progress import SILENT
from git_lepton.transfer.remote_store import RemoteStore, connect
from git_lepton.transfer.tombstones import taken_away
from git_lepton.transfer.upload import Uploaded, upload
from git_lepton.workflow.sync.push import base_sources, push_weights
from git_lepton.workspace import Workspace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from git_lepton.format.identifiers import ObjectId
    from git_lepton.format.pointer import Pointer
    from git_lepton.git.repository import GitRepository
    from git_lepton.store.local_store import LocalStore
    from git_lepton.transfer.progress import Progress
    from git_lepton.transfer.push_bases import BaseSources


def push_hosted(
    git: GitRepository,
    url: str,
    wanted: Sequence[tuple[Pointer, str]],
    tips: Sequence[str],
    known: Sequence[str],
    *,
    show_progress: bool,
    quiet: bool = False,
) -> None:
    """Send weights to the repository that also gets the refs, and has those of `known`, whatever lepton.url says: its server looks
    nowhere else."""
    reuse_freed_memory()
    workspace = Workspace(git)
    workspace.commit = tips[0]
    settings, store = workspace.settings, workspace.store
    location = settings.location_of_url(url)
    remote = connect(location, settings)
    try:
        progress = ProgressLine("Uploading weights") if show_progress else SILENT
        bringing = ProgressLine("Downloading weights") if show_progress else SILENT
        sources = base_sources(git, store, known, allowed_bases(settings, location))
        elsewhere = partial(workspace.fetch_elsewhere, progress=bringing, than=location)
        uploaded = push_weights(store, _Server(store, remote), wanted, progress, sources, elsewhere)
        warn_of_push(git, wanted, tips)
        tell_bases(uploaded, location, quiet=quiet)
    finally:
        remote.close()
        workspace.close()


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

    def push(self, pointers: Sequence[Pointer], progress: Progress, sources: BaseSources | None = None) -> Uploaded:
        return upload(self._store, self._remote, pointers, progress, sources)
