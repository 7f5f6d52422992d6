"""Opens one repository: its git, its settings, its local store and the store behind its remotes, each when first asked for."""

from __future__ import annotations

from pathlib import Path

from git_lepton.git.repository import GitRepository
from git_lepton.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from git_lepton.format.identifiers import ObjectId
    from git_lepton.format.pointer import Pointer
    from git_lepton.settings.location import StoreLocation
    from git_lepton.store.folder_remote import FolderRemote
    from git_lepton.store.local_store import LocalStore
    from git_lepton.transfer.download import Announce, Downloaded
    from git_lepton.transfer.progress import Progress
    from git_lepton.transfer.remote_store import RemoteStore
    from git_lepton.transfer.tombstones import WeightsTakenAway
    from git_lepton.transfer.upload import Uploaded


class Workspace:
    """One repository. `remote` is a remote's name or a URL in every method; None means the one that git would use.

    A context manager: leaving it seals the local store and closes connections.
    """

    def __init__(self, git: GitRepository, environment: Mapping[str, str] | None = None) -> None:
        self.git = git
        self.settings = Settings(git, environment)
        self._store: LocalStore | None = None
        self._servers: dict[StoreLocation, RemoteStore] = {}
        self._folders: dict[Path, FolderRemote] = {}

    @property
    def store(self) -> LocalStore:
        """The local store of this repository; worktrees share it."""
        if self._store is None:
            from git_lepton.format.coding.memory import reuse_freed_memory
            from git_lepton.store.local_store import LocalStore

            reuse_freed_memory()
            self._store = LocalStore(self.git.common_dir / "lepton")
        return self._store

    def remote(self, remote: str | None = None, *, push: bool = False) -> RemoteStore:
        """The server behind a remote. Raises as `Settings.store_location` does, and NotAServer where the store is a folder."""
        location = self.settings.store_location(remote, push=push)
        if location.kind == "folder":
            from git_lepton.store.folder_remote import NotAServer

            raise NotAServer(location.folder or Path())
        return self._server(location)

    def other_repository(self, repository: str, remote: str | None = None) -> RemoteStore:
        """Another repository, OWNER/NAME, on the server behind a remote. Raises as `remote` does."""
        from dataclasses import replace

        location = self.settings.store_location(remote)
        if location.kind == "folder":
            from git_lepton.store.folder_remote import NotAServer

            raise NotAServer(location.folder or Path())
        return self._server(replace(location, repository=repository))

    def fetch(
        self,
        pointers: Sequence[Pointer],
        progress: Progress | None = None,
        remote: str | None = None,
        announce: Announce | None = None,
    ) -> Downloaded:
        """Bring these objects into the local store, durably. Raises WeightsMissing for what the store does not have.

        `announce` may hear of the manifests of what is on its way (see transfer.download).
        """
        from git_lepton.transfer.download import Downloaded, download
        from git_lepton.transfer.progress import SILENT

        location = self.settings.store_location(remote)
        if location.folder is None:
            return download(self.store, self._server(location), pointers, progress or SILENT, announce)
        copied = self._folder(location.folder).fetch(self.store, pointers, progress or SILENT)
        return Downloaded(copied.objects, copied.bytes_copied)

    def push(self, pointers: Sequence[Pointer], progress: Progress | None = None, remote: str | None = None) -> Uploaded:
        """Send these objects; verified and durable on return."""
        from git_lepton.transfer.progress import SILENT
        from git_lepton.transfer.upload import Uploaded, upload

        location = self.settings.store_location(remote, push=True)
        if location.folder is None:
            return upload(self.store, self._server(location), pointers, progress or SILENT)
        copied = self._folder(location.folder).push(self.store, pointers, progress or SILENT)
        return Uploaded(copied.objects, copied.bytes_copied, copied.bytes_known)

    def stored(
        self, pointers: Sequence[Pointer], remote: str | None = None, *, push: bool = False, looked_at: bool = False
    ) -> set[ObjectId]:
        """Which of these objects the store has, verified. `looked_at`: a folder's bytes are read for that.

        With `push` an absent repository has none: the first push makes it.
        """
        location = self.settings.store_location(remote, push=push)
        if location.folder is None:
            from git_lepton.transfer.refusals import NotFound

            try:
                return self._server(location).stored([pointer.oid for pointer in pointers])
            except NotFound:
                if push:
                    return set()
                raise
        return self._folder(location.folder).stored(pointers, looked_at=looked_at)

    def taken_away(
        self, pointers: Sequence[Pointer], remote: str | None = None, *, push: bool = False
    ) -> dict[ObjectId, WeightsTakenAway]:
        """Of those of these objects, none of which the store has, that it took away on the record: since when and why."""
        from git_lepton.transfer.tombstones import WeightsTakenAway, taken_away

        location = self.settings.store_location(remote, push=push)
        if location.folder is not None:
            return {}
        stones = taken_away(self._server(location), [pointer.oid for pointer in pointers])
        return {oid: WeightsTakenAway(stone) for oid, stone in stones.items()}

    def destination(self, remote: str | None = None) -> Destination:
        """The store that a push to a remote goes to. Raises as `Settings.store_location` does."""
        return Destination(self, remote)

    def close(self) -> None:
        """Seal the local store and let go of everything that was opened."""
        for server in self._servers.values():
            server.close()
        for folder in self._folders.values():
            folder.close()
        if self._store:
            self._store.close()
        self._folders, self._servers, self._store = {}, {}, None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _server(self, location: StoreLocation) -> RemoteStore:
        if location not in self._servers:
            from git_lepton.transfer.remote_store import connect

            self._servers[location] = connect(location, self.settings)
        return self._servers[location]

    def _folder(self, folder: Path) -> FolderRemote:
        if folder not in self._folders:
            from git_lepton.store.folder_remote import FolderRemote

            self._folders[folder] = FolderRemote(folder)
        return self._folders[folder]


class Destination:
    """Where the pushes of one workspace to one remote send weights."""

    def __init__(self, workspace: Workspace, remote: str | None) -> None:
        self.location = workspace.settings.store_location(remote, push=True)
        self._workspace = workspace
        self._remote = remote

    def stored(self, pointers: Sequence[Pointer]) -> set[ObjectId]:
        """Which of these objects are there, verified."""
        return self._workspace.stored(pointers, self._remote, push=True)

    def taken_away(self, pointers: Sequence[Pointer]) -> Collection[ObjectId]:
        """Which of these objects, none of which is there, were taken away on the record."""
        return self._workspace.taken_away(pointers, self._remote, push=True)

    def push(self, pointers: Sequence[Pointer], progress: Progress) -> Uploaded:
        """Send these objects; verified and durable on return."""
        return self._workspace.push(pointers, progress, self._remote)


def open_workspace(folder: Path | None = None) -> Workspace:
    """The repository that `folder` (default: the current one) is in. Raises NotARepository outside of one."""
    return Workspace(GitRepository.find(folder))
