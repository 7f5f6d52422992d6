"""Locks, shares and the bill of one repository on its server, as docs/wire-protocol.md has their requests."""

from __future__ import annotations

import json
from typing import Any

from git_lepton.errors import LeptonError, NotAllowed, WrongUse
from git_lepton.transfer.http.bodies import Reply
from git_lepton.transfer.http.refusals import ServerRefused
from git_lepton.transfer.remote_store import RemoteStore
from git_lepton.wire import protocol
from git_lepton.wire.collaboration import LockInfo, LockList, NewLink, NewLock, NewShare, ShareInfo, ShareList
from git_lepton.wire.messages import to_json
from git_lepton.wire.usage import RepositoryUsage


class LockedByOther(NotAllowed):
    """Somebody else has locked the path, or what is in it."""


class CannotBe(WrongUse):
    """The server takes no lock or share of this kind."""


class Collaboration:
    """The locks and shares of the repository of `remote`. Methods raise LeptonErrors as those of RemoteStore do, and CannotBe for what
    is no path, time or number."""

    def __init__(self, remote: RemoteStore) -> None:
        self._remote = remote

    def locks(self) -> list[LockInfo]:
        """All locks, by path."""
        return self._ask("GET", "locks").message(LockList).locks

    def lock(self, path: str) -> LockInfo:
        """Our lock of this path, a new one or the one that is there. Raises LockedByOther where it is another's."""
        return self._ask("POST", "locks", message=NewLock(path)).message(LockInfo)

    def unlock(self, lock: LockInfo, *, force: bool = False) -> None:
        """Take a lock away; another's by force. Raises Forbidden."""
        self._ask("DELETE", "locks", f"{lock.id}?force=true" if force else str(lock.id))

    def shares(self) -> list[ShareInfo]:
        """All shares, also those that have ended, the newest first."""
        return self._ask("GET", "shares").message(ShareList).shares

    def share(self, share: NewShare) -> NewLink:
        """A new link. Raises ChunksUnknown where weights are not stored there."""
        return self._ask("POST", "shares", message=share).message(NewLink)

    def revoke(self, number: int) -> None:
        """End a share. Raises NotFound, Forbidden."""
        self._ask("DELETE", "shares", str(number), about=f"share {number}")

    def _ask(self, method: str, *parts: str, message: Any = None, about: str = "") -> Reply:
        body = b"" if message is None else json.dumps(to_json(message)).encode()
        path = protocol.repository_path(self._remote.repository, *parts)
        asked = about or f"repository {self._remote.repository}"
        kind = "application/json" if body else ""
        try:
            return self._remote.connection.request(
                method, path, asked=asked, body=body, content_type=kind, most=protocol.MAX_LIST_BYTES
            )
        except ServerRefused as error:
            if error.code in _OURS:
                raise _OURS[error.code](error.message, error.hint) from error
            raise


def usage_of(remote: RemoteStore) -> RepositoryUsage:
    """The server's bill of the repository, by branch too where it hosts the git history. Raises NotFound, NetworkTrouble."""
    path = protocol.repository_path(remote.repository, "usage") + "?branches=true"
    asked = f"repository {remote.repository}"
    return remote.connection.request("GET", path, asked=asked, most=protocol.MAX_LIST_BYTES).message(RepositoryUsage)


_OURS: dict[str, type[LeptonError]] = {"bad_request": CannotBe, "conflict": LockedByOther}
