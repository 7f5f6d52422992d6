"""Shares: links to files of one version, for people without an account. A link is shown once; the database keeps its SHA-256.

A link is as good as its maker's right to make it: it ends when the maker may no longer write to the repository, when it expires, when it is
revoked, and for each file when the repository lets the file go. Whoever holds the link sees what it was called and its files, and
nothing else of the repository.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, or_, select, update

from lepton_server.content import objects, tombstones
from lepton_server.database.tables import accounts, share_files, shares
from lepton_server.database.transactions import clock
from lepton_server.errors import Refusal
from lepton_server.identity import audit_log
from lepton_server.identity.accounts import caller_by_id
from lepton_server.identity.caller import Caller
from lepton_server.protection.path_locks import file_path
from lepton_server.repositories import registry
from lepton_server.repositories.permissions import Action, require
from lepton_server.repositories.registry import Repository

SHARING = Action.WRITE  # reading is what a reader has; giving it away takes more
MAX_FILES = 2_000  # of one share
MAX_SECONDS = 366 * 24 * 3600
MAX_REVISION = 500  # characters
_MOST_LISTED = 1_000
_FOREVER = 1 << 53
_TIMES_SENT = 2  # what each counted download may take, breaks included


class LinkEnded(Exception):
    """There is nothing behind this link: whether it never was, or is no more, is not told."""


@dataclass(frozen=True)
class File:
    """A file of a share. `oid`: 32 raw bytes; `size` in bytes; `downloads` that have begun; `sent`: bytes in all, those
    of downloads under way included."""

    path: str
    oid: bytes
    size: int
    downloads: int = 0
    sent: int = 0


@dataclass(frozen=True)
class Share:
    """A share that is good now, as whoever has its link may know it."""

    id: int
    repository: Repository
    revision: str
    expires: int
    max_downloads: int | None

    def left(self, file: File) -> int | None:
        """How many downloads of a file may still begin; None: any number."""
        return None if self.max_downloads is None else max(0, self.max_downloads - file.downloads)


@dataclass(frozen=True)
class ShareRow:
    """A share, good or not, as those see it who may make one."""

    id: int
    revision: str
    account: int
    by: str
    created: int
    expires: int
    max_downloads: int | None
    revoked: int | None
    files: int
    downloads: int


def create(
    connection: Connection,
    by: Caller,
    repository: Repository,
    revision: str,
    files: Sequence[File],
    seconds: int,
    max_downloads: int | None,
) -> tuple[str, int, int]:
    """A new share: its secret, number and end. Raises Refusal: bad_request, missing_chunks; forbidden to callers who may not read
    themselves what they give away."""
    require(connection, by, repository, Action.READ)
    require(connection, by, repository, SHARING)
    if not revision.isprintable() or not 0 < len(revision) <= MAX_REVISION:
        raise Refusal.bad_request("A share needs a name that can be shown.", f"Of at most {MAX_REVISION} characters.")
    if not 0 < len({file_path(file.path) for file in files}) == len(files) <= MAX_FILES:
        raise Refusal.bad_request(
            f"A share has 1 to {MAX_FILES} different files.", "Share a folder or a pattern that holds fewer."
        )
    if not 0 < seconds <= MAX_SECONDS:
        raise Refusal.bad_request("A share lasts for at least a second and at most a year.", "Choose another time.")
    if max_downloads is not None and not 0 < max_downloads < 1 << 31:
        raise Refusal.bad_request("A share allows at least one download.", "Leave the number out for any number of downloads.")
    sizes = objects.stored_sizes(connection, repository, {file.oid for file in files})
    for file in files:
        if sizes.get(file.oid) != file.size:
            stone = tombstones.of_objects(connection, repository, [file.oid]).get(file.oid)
            if stone and file.oid not in sizes:
                message = f"{file.path} {tombstones.told(stone)}."
                raise Refusal("missing_chunks", message, "Leave that file out.")
            message = f"The weights of {file.path} are not stored in {repository.full_name}."
            raise Refusal("missing_chunks", message, "Push them first: git lepton push")
    secret = secrets.token_urlsafe(32)
    now = clock(connection)
    row = {"digest": _digest(secret), "repository": repository.id, "account": by.account, "revision": revision, "created": now}
    row |= {"expires": now + seconds * 1000, "max_downloads": max_downloads}
    number = connection.execute(insert(shares).values(row).returning(shares.c.id)).scalar_one()
    columns = [
        {"share": number, "path": file.path, "oid": file.oid, "size": file.size, "downloads": 0, "sent": 0} for file in files
    ]
    connection.execute(insert(share_files), columns)
    detail = {"revision": revision, "files": [file.path for file in files[:20]], "expires": now + seconds * 1000}
    audit_log.note(connection, by, "share.create", repository=repository.full_name, subject=str(number), **detail)
    return secret, number, now + seconds * 1000


def of_repository(connection: Connection, repository: Repository) -> list[ShareRow]:
    """The shares of a repository, the newest first; of very many the newest 1,000."""
    columns = shares.c.id, shares.c.revision, shares.c.account, accounts.c.name, shares.c.created
    ends = func.coalesce(shares.c.expires, _FOREVER)
    counts = func.count(), func.coalesce(func.sum(share_files.c.downloads), 0)
    query = select(*columns, ends, shares.c.max_downloads, shares.c.revoked, *counts)
    query = query.join(accounts, accounts.c.id == shares.c.account).join(share_files, share_files.c.share == shares.c.id)
    query = query.where(shares.c.repository == repository.id).group_by(shares.c.id, accounts.c.name)
    rows = connection.execute(query.order_by(shares.c.id.desc()).limit(_MOST_LISTED))
    return [ShareRow(*[*row[:-1], int(row[-1])]) for row in rows]  # the sums of PostgreSQL are decimals


def revoke(connection: Connection, by: Caller, repository: Repository, number: int) -> bool:
    """End a share; one of somebody else's takes the right to maintain. False where there is none. Raises Refusal."""
    this = (shares.c.repository == repository.id) & (shares.c.id == number)
    row = connection.execute(select(shares.c.account, shares.c.revoked).where(this)).one_or_none()
    if row is None:
        return False
    if row.account != by.account:
        require(connection, by, repository, Action.MAINTAIN)
    if row.revoked is None:
        connection.execute(update(shares).where(this).values(revoked=clock(connection)))
        audit_log.note(connection, by, "share.revoke", repository=repository.full_name, subject=str(number))
    return True


def opened(connection: Connection, secret: str) -> Share:
    """The share behind a link. Raises LinkEnded."""
    columns = shares.c.id, shares.c.repository, shares.c.account, shares.c.revision, shares.c.expires, shares.c.max_downloads
    alive = shares.c.revoked.is_(None) & or_(shares.c.expires.is_(None), shares.c.expires > clock(connection))
    row = connection.execute(select(*columns).where(shares.c.digest == _digest(secret), alive)).one_or_none()
    if row is None:
        raise LinkEnded
    repository = registry.by_id(connection, row.repository)
    try:
        require(connection, caller_by_id(connection, row.account), repository, SHARING)
    except Refusal:
        raise LinkEnded from None
    return Share(row.id, repository, row.revision, row.expires or _FOREVER, row.max_downloads)


def files(connection: Connection, share: Share) -> list[File]:
    """The files of a share that are still stored, by path. Raises LinkEnded where none is."""
    found = _files(connection, share)
    stored = objects.stored_sizes(connection, share.repository, {file.oid for file in found})
    if not stored:
        raise LinkEnded
    return [file for file in found if file.oid in stored]


def file(connection: Connection, share: Share, path: str) -> File:
    """One file of a share, still stored. Raises LinkEnded."""
    found = _files(connection, share, path)
    if not found or not objects.stored_objects(connection, share.repository, [found[0].oid]):
        raise LinkEnded
    return found[0]


def begin_download(connection: Connection, share: Share, file: File, length: int) -> None:
    """A download begins, of `length` bytes: of many that ask for the last one at once exactly one gets it. Raises LinkEnded."""
    this = (share_files.c.share == share.id) & (share_files.c.path == file.path)
    if share.max_downloads is not None:
        this &= share_files.c.downloads < share.max_downloads
    more = {"downloads": share_files.c.downloads + 1, "sent": share_files.c.sent + length}
    counted = connection.execute(update(share_files).where(this).values(more))
    if not counted.rowcount:
        raise LinkEnded
    visitor = Caller(0, "", share.repository.tenant, admin=False, token_label=f"share {share.id}")
    name = share.repository.full_name
    audit_log.note(connection, visitor, "share.download", repository=name, subject=str(share.id), path=file.path)


def continue_download(connection: Connection, share: Share, file: File, length: int) -> None:
    """A download goes on where it broke off, with `length` bytes more: for who has a right to that, and not for ever, however many ask
    at once. Raises LinkEnded."""
    this = (share_files.c.share == share.id) & (share_files.c.path == file.path)
    if share.max_downloads is not None:
        this &= share_files.c.sent + length <= _TIMES_SENT * share_files.c.size * share_files.c.downloads
    if not connection.execute(update(share_files).where(this).values(sent=share_files.c.sent + length)).rowcount:
        raise LinkEnded


def give_back(connection: Connection, share: Share, file: File, unsent: int) -> None:
    """So many bytes of what a download was to take have not gone out."""
    this = (share_files.c.share == share.id) & (share_files.c.path == file.path)
    connection.execute(update(share_files).where(this).values(sent=share_files.c.sent - unsent))


def _files(connection: Connection, share: Share, path: str | None = None) -> list[File]:
    columns = share_files.c.path, share_files.c.oid, share_files.c.size, share_files.c.downloads, share_files.c.sent
    query = select(*columns).where(share_files.c.share == share.id).order_by(share_files.c.path)
    rows = connection.execute(query if path is None else query.where(share_files.c.path == path))
    return [File(row.path, bytes(row.oid), row.size, row.downloads, row.sent) for row in rows]


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()
