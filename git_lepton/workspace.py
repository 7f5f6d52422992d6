"""Opens one repository: its git, its settings, its local store and the store behind its remotes, each when first asked for."""

from __future__ import annotations

from pathlib import Path

from git_lepton.errors import LeptonError, NotAllowed, WrongUse
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
    from git_lepton.transfer.in_turn import Source
    from git_lepton.transfer.progress import Progress
    from git_lepton.transfer.push_bases import BaseSources
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
        self.commit = "HEAD"  # the version whose weights are wanted, where that is known better
        self._asked = False  # the user said no to a store: once is enough

    @property
    def store(self) -> LocalStore:
        """The local store of this repository; worktrees share it."""
        if self._store is None:
            from git_lepton.format.coding.memory import reuse_freed_memory
            from git_lepton.store.local_store import LocalStore

            reuse_freed_memory()
            self._store = LocalStore(self.git.common_dir / "lepton")
        return self._store

    def location(self, remote: str | None = None, *, push: bool = False) -> StoreLocation:
        """Where the store behind a remote is; one that only a lepton.toml names is asked about where somebody can answer.

        Raises as `Settings.store_location` does.
        """
        from git_lepton.settings.location import StoreNotTrusted

        try:
            return self.settings.store_location(remote, push=push)
        except StoreNotTrusted as error:
            from git_lepton.settings.approval import ask_to_approve

            if self._asked or not ask_to_approve(self.settings, error.name):
                self._asked = True
                raise
        return self.settings.store_location(remote, push=push)

    def remote(self, remote: str | None = None, *, push: bool = False) -> RemoteStore:
        """The server behind a remote. Raises as `location` does, and NotAServer where the store is a folder."""
        location = self.location(remote, push=push)
        if location.kind == "folder":
            from git_lepton.store.folder_remote import NotAServer

            raise NotAServer(location.folder or Path())
        return self._server(location)

    def other_repository(self, repository: str, remote: str | None = None) -> RemoteStore:
        """Another repository, OWNER/NAME, on the server behind a remote. Raises as `remote` does."""
        from dataclasses import replace

        location = self.location(remote)
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
        """Bring these objects into the local store, durably. Where no remote is given, those of all remotes are asked in turn for what
        the ones before lack: first those that reach `self.commit`. Raises WeightsMissing for what no store has.

        `announce` may hear of the manifests of what is on its way (see transfer.download).
        """
        from git_lepton.transfer.progress import SILENT

        places = [self.location(remote)] if remote else self._places()
        show = progress or SILENT
        if len(places) == 1:
            return self._fetch_from(places[0], pointers, show, announce)
        from git_lepton.transfer.in_turn import fetch_in_turn

        return fetch_in_turn([self._source(place, show) for place in places], pointers, announce)

    def fetch_elsewhere(self, pointers: Sequence[Pointer], progress: Progress, than: StoreLocation) -> Downloaded:
        """As `fetch` from all remotes' stores, but for this one. Raises NoStore where there is no other."""
        from git_lepton.settings.location import NoStore
        from git_lepton.transfer.in_turn import fetch_in_turn

        places = [place for place in self._places() if (place.url, place.repository) != (than.url, than.repository)]
        if not places:
            raise NoStore("no other remote has a store")
        return fetch_in_turn([self._source(place, progress) for place in places], pointers, None)

    def _source(self, place: StoreLocation, progress: Progress) -> tuple[str, Source]:
        name = str(place.folder) if place.folder else f"{place.repository} on {place.authority}"
        return name, lambda wanted, hear: self._fetch_from(place, wanted, progress, hear)

    def _fetch_from(
        self, place: StoreLocation, pointers: Sequence[Pointer], progress: Progress, announce: Announce | None
    ) -> Downloaded:
        from git_lepton.transfer.download import Downloaded, ObjectsAbsent, download

        if place.folder is None:
            try:
                brought = download(self.store, self._server(place), pointers, progress, announce)
            except ObjectsAbsent as error:
                self._note_taken(pointers, error.taken_away)
                raise
            self._note_taken(pointers, {})
            return brought
        copied = self._folder(place.folder).fetch(self.store, pointers, progress)
        return Downloaded(copied.objects, copied.bytes_copied)

    def _places(self) -> list[StoreLocation]:
        """The stores to ask for weights, in order. Raises as `location` does where there is none."""
        from git_lepton.settings.sources import in_order

        first = trouble = None
        try:
            first = self.location()
        except WrongUse as error:
            trouble = error
        places = in_order(self.settings, first, self.commit)
        if trouble and not places:
            raise trouble
        return places

    def somewhere(self, pointers: Sequence[Pointer]) -> set[ObjectId]:
        """Which of these objects a store has that `fetch` would ask. Raises what the first one raised where none has any."""
        found: set[ObjectId] = set()
        trouble: LeptonError | None = None
        for place in self._places():
            left = [pointer for pointer in pointers if pointer.oid not in found]
            try:
                found |= self._stored_at(place, left) if left else set()
            except LeptonError as error:
                trouble = trouble or error
        if trouble and not found:
            raise trouble
        return found

    def _stored_at(self, place: StoreLocation, pointers: Sequence[Pointer], *, looked_at: bool = False) -> set[ObjectId]:
        if place.folder is None:
            return self._server(place).stored([pointer.oid for pointer in pointers])
        return self._folder(place.folder).stored(pointers, looked_at=looked_at)

    def push(
        self,
        pointers: Sequence[Pointer],
        progress: Progress | None = None,
        remote: str | None = None,
        sources: BaseSources | None = None,
    ) -> Uploaded:
        """Send these objects; verified and durable on return. What they may lie on: each other and `sources`."""
        from git_lepton.transfer.progress import SILENT
        from git_lepton.transfer.upload import Uploaded, upload

        location = self.location(remote, push=True)
        if location.folder is None:
            return upload(self.store, self._server(location), pointers, progress or SILENT, sources)
        copied = self._folder(location.folder).push(self.store, pointers, progress or SILENT)
        return Uploaded(copied.objects, copied.bytes_copied, copied.bytes_known)

    def stored(
        self, pointers: Sequence[Pointer], remote: str | None = None, *, push: bool = False, looked_at: bool = False
    ) -> set[ObjectId]:
        """Which of these objects the store has, verified. `looked_at`: a folder's bytes are read for that.

        With `push` an absent repository has none: the first push makes it.
        """
        place = self.location(remote, push=push)
        try:
            return self._stored_at(place, pointers, looked_at=looked_at)
        except NotAllowed as error:
            from git_lepton.transfer.http.refusals import NotFound

            if push and isinstance(error, NotFound):
                return set()
            raise

    def taken_away(
        self, pointers: Sequence[Pointer], remote: str | None = None, *, push: bool = False
    ) -> dict[ObjectId, WeightsTakenAway]:
        """Of those of these objects, none of which the store has, that it took away on the record: since when and why."""
        from git_lepton.transfer.tombstones import WeightsTakenAway, taken_away

        location = self.location(remote, push=push)
        if location.folder is not None:
            return {}
        stones = taken_away(self._server(location), [pointer.oid for pointer in pointers])
        found = {oid: WeightsTakenAway(stone) for oid, stone in stones.items()}
        self._note_taken(pointers, found)
        return found

    def _note_taken(self, asked: Sequence[Pointer], taken: Mapping[ObjectId, WeightsTakenAway]) -> None:
        from git_lepton.transfer.taken_notes import note

        note(
            self.git.common_dir / "lepton", [pointer.oid for pointer in asked], {oid: error.stone for oid, error in taken.items()}
        )

    def destination(self, remote: str | None = None) -> Destination:
        """The store that a push to a remote goes to. Raises as `location` does."""
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
        self.location = workspace.location(remote, push=True)
        self.gone: set[ObjectId] = set()
        self._workspace = workspace
        self._remote = remote

    def stored(self, pointers: Sequence[Pointer]) -> set[ObjectId]:
        """Which of these objects are there, verified."""
        return self._workspace.stored(pointers, self._remote, push=True)

    def taken_away(self, pointers: Sequence[Pointer]) -> Collection[ObjectId]:
        """Which of these objects, none of which is there, were taken away on the record. They are remembered in `gone`."""
        found = self._workspace.taken_away(pointers, self._remote, push=True)
        self.gone.update(found)
        return found

    def push(self, pointers: Sequence[Pointer], progress: Progress, sources: BaseSources | None = None) -> Uploaded:
        """Send these objects; verified and durable on return. What they may lie on: each other and `sources`."""
        return self._workspace.push(pointers, progress, self._remote, sources)


def open_workspace(folder: Path | None = None) -> Workspace:
    """The repository that `folder` (default: the current one) is in. Raises NotARepository outside of one."""
    return Workspace(GitRepository.find(folder))
