"""`git lepton download LINK`: the files behind the link of a share, into a folder, without account, git or installation.

As with a repository: what is there and right stays, what breaks off goes on where it stopped, and a file is in its place only when
its SHA-256 is the one that the link's list names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import quote

from git_lepton.errors import CorruptData, NotAllowed
from git_lepton.format.identifiers import ObjectId
from git_lepton.format.pointer import Pointer
from git_lepton.store.durable import sync_data, sync_folder
from git_lepton.transfer.http.connection import Connection
from git_lepton.transfer.http.refusals import UrlExpired
from git_lepton.transfer.http.retries import Transient
from git_lepton.transfer.progress import SILENT
from git_lepton.wire.collaboration import SharedFiles
from git_lepton.wire.protocol import MAX_LIST_BYTES, SHARED
from git_lepton.workflow.download.folder import is_right, partial_folder
from git_lepton.workflow.download.repository import Arrived, files_named
from git_lepton.workflow.download.safe_paths import place_of

if TYPE_CHECKING:
    from git_lepton.settings import Settings
    from git_lepton.transfer.progress import Progress

_LINK = re.compile(rf"(https?://[^/?#]+(?:/[^?#]*)?){SHARED}/([A-Za-z0-9_-]{{30,60}})/?")  # 43, or mistyped
_BLOCK = 1 << 20


class LinkEnded(NotAllowed):
    """A link that gives a file no longer."""


class WrongBytes(CorruptData):
    """What a link gave is not the file of its list."""


def is_link(source: str) -> bool:
    """Whether this is the address of a share, and not of a repository."""
    return _LINK.fullmatch(source) is not None


def fetch_share(
    settings: Settings, link: str, folder: Path, patterns: Sequence[str] = (), show: Callable[[str], Progress] | None = None
) -> Arrived:
    """Bring the files behind a link that match the patterns (all where none is given) into `folder`.

    Raises NotFound or LinkEnded where the link gives them no longer, NothingMatches, FolderBusy, UnsafePath, WrongBytes and what
    transfers raise; files that were in place by then stay.
    """
    found = _LINK.fullmatch(link)
    assert found, "is_link said so"
    with Connection(found[1], network=settings.http) as connection, partial_folder(folder) as partial:
        listed = connection.request("GET", f"{SHARED}/{found[2]}", asked="link", most=MAX_LIST_BYTES).message(SharedFiles)
        files = {file.path: Pointer(ObjectId.parse_hex(file.oid), file.size) for file in listed.files}
        chosen = files_named(files, patterns, "behind this link")
        places = {path: place_of(folder, path) for path in chosen}
        arrived = Arrived(listed.revision)
        arrived.kept = [path for path, pointer in chosen.items() if is_right(places[path], pointer)]
        needed = {path: pointer for path, pointer in chosen.items() if path not in arrived.kept}
        progress = show("Downloading") if show else SILENT
        progress.start(sum(pointer.size for pointer in needed.values()))
        try:
            for path, pointer in needed.items():
                download = _Download(connection, f"{SHARED}/{found[2]}/{quote(path)}", path, pointer, progress)
                arrived.bytes_received += download.into(partial / pointer.oid.hex, places[path])
                arrived.brought.append(path)
        finally:
            progress.finish()
    return arrived


class _Download:
    """One file behind a link. `address` is below the server's."""

    def __init__(self, connection: Connection, address: str, path: str, pointer: Pointer, progress: Progress) -> None:
        self._connection, self._address, self._path, self._pointer, self._progress = connection, address, path, pointer, progress

    def into(self, partial: Path, place: Path) -> int:
        """Bring it, by way of a file that an earlier try may have begun. The bytes that travelled."""
        with partial.open("ab+") as file:
            before = file.tell()
            self._progress.advance(before)
            attempts = self._connection.attempts()
            while (at := file.tell()) < self._pointer.size:
                try:
                    self._go_on(file, at)
                except Transient as trouble:
                    if file.tell() > at:
                        attempts.succeeded()
                    attempts.failed(trouble)
                except UrlExpired as ended:
                    hint = "Ask whoever gave it to you for another; what has arrived is kept."
                    raise LinkEnded(f"the link gives {self._path} no longer", hint) from ended
            sync_data(file.fileno())
        if not is_right(partial, self._pointer):
            partial.unlink()
            raise WrongBytes(f"what arrived is not {self._path}: its SHA-256 is another", "Run the same again.")
        place.parent.mkdir(parents=True, exist_ok=True)
        partial.replace(place)
        sync_folder(place.parent)
        return self._pointer.size - before

    def _go_on(self, file: BinaryIO, at: int) -> None:
        """Append what comes from `at` on, until all is there. Raises Transient, UrlExpired."""
        headers = {"Range": f"bytes={at}-", "If-Range": f'"{self._pointer.oid.hex}"'} if at else {}
        with self._connection.stream(self._address, asked=self._path, headers=headers) as stream:
            if stream.length != self._pointer.size - at:
                raise WrongBytes(f"{self._connection.host} sends something else than {self._path}", "Is a proxy in between?")
            while (left := self._pointer.size - file.tell()) > 0:
                block = stream.read(min(_BLOCK, left))
                file.write(block)
                self._progress.advance(len(block))
