"""Locks: a path that one account keeps for itself for a while. A push of somebody else's that changes it is refused.

A path is as git has it: from the top of the repository, '/' between its parts, upper and lower case as they are. A lock of a folder holds
for all that lies in it. There is one lock at a path; in a folder that somebody locked only the same account may lock more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, delete, insert, select

from lepton_server.database.tables import accounts, locks
from lepton_server.database.transactions import clock
from lepton_server.errors import Refusal
from lepton_server.identity import audit_log
from lepton_server.identity.caller import Caller
from lepton_server.repositories.registry import Repository

MAX_LOCKS = 5_000  # of one repository
MAX_PATH_BYTES = 1_024  # what every database can index


@dataclass(frozen=True)
class Lock:
    """`owner` is the account's name, `at` milliseconds since 1970."""

    id: int
    path: str
    account: int
    owner: str
    at: int

    def covers(self, path: str) -> bool:
        """Whether this path is the locked one or lies in it."""
        return path == self.path or is_below(path, self.path)


def file_path(path: str) -> str:
    """The path as it is. Raises Refusal (bad_request) unless it is a plain one from the top of a repository."""
    if not path.isprintable() or len(path.encode("utf-8", "replace")) > MAX_PATH_BYTES:
        raise Refusal.bad_request(
            f"{path[:100]!r} is no path that can be named here.", f"It needs 1 to {MAX_PATH_BYTES} bytes of printable text."
        )
    if any(part in ("", ".", "..") for part in path.split("/")):
        raise Refusal.bad_request(
            f"{path[:100]!r} is no path from the top of a repository.", "Write models/big.safetensors, for example."
        )
    return path


def locks_of(connection: Connection, repository: Repository) -> list[Lock]:
    """All locks of a repository, by path."""
    return _locks(connection, _rows().where(locks.c.repository == repository.id).order_by(locks.c.path))


def lock_by_id(connection: Connection, repository: Repository, lock_id: int) -> Lock | None:
    """The lock with this id, None where the repository has none."""
    this = (locks.c.repository == repository.id) & (locks.c.id == lock_id)
    return next(iter(_locks(connection, _rows().where(this))), None)


def lock(connection: Connection, by: Caller, repository: Repository, path: str) -> Lock:
    """The caller's lock of this path: a new one, or the one that is there. Raises Refusal: bad_request, conflict."""
    file_path(path)
    held = locks_of(connection, repository)
    for other in held:
        if other.path == path and other.account == by.account:
            return other
        if other.account != by.account and (other.covers(path) or is_below(other.path, path)):
            hint = f"Ask {other.owner}; `git lepton locks` says since when."
            raise Refusal("conflict", f"{other.owner} has locked {other.path}.", hint)
    if len(held) >= MAX_LOCKS:
        raise Refusal.bad_request(f"{repository.full_name} has {MAX_LOCKS} locks.", "Lock a folder, or unlock what needs none.")
    at = clock(connection)
    row = {"repository": repository.id, "path": path, "account": by.account, "created": at}
    lock_id = connection.execute(insert(locks).values(row).returning(locks.c.id)).scalar_one()
    audit_log.note(connection, by, "lock.create", repository=repository.full_name, subject=path)
    return Lock(lock_id, path, by.account, by.name, at)


def unlock(connection: Connection, by: Caller, repository: Repository, found: Lock) -> None:
    """Take a lock away, whoever has it: whether `by` may do that was checked by the caller."""
    connection.execute(delete(locks).where(locks.c.id == found.id))
    forced = found.account != by.account
    audit_log.note(
        connection, by, "lock.delete", repository=repository.full_name, subject=found.path, owner=found.owner, forced=forced
    )


def is_below(path: str, folder: str) -> bool:
    """Whether the path lies in the folder."""
    return path.startswith(f"{folder}/")


def _rows() -> Select[Any]:
    columns = locks.c.id, locks.c.path, locks.c.account, accounts.c.name, locks.c.created
    return select(*columns).join(accounts, accounts.c.id == locks.c.account)


def _locks(connection: Connection, query: Select[Any]) -> list[Lock]:
    return [Lock(*row) for row in connection.execute(query)]
