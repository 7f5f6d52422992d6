"""Rows of an upload in the database, as the verification reads and writes them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from sqlalchemy import Connection, delete, select, update

from git_lepton.format.identifiers import ObjectId
from git_lepton.format.manifest import size_of
from git_lepton.wire.messages import UploadFailure
from lepton_server.content import tombstones
from lepton_server.content.pack_reader import ReceivedPack
from lepton_server.database.tables import (
    jobs,
    leases,
    object_links,
    objects,
    packs,
    pending_packs,
    upload_bases,
    upload_failures,
    upload_manifests,
    upload_packs,
    uploads,
)
from lepton_server.database.transactions import clock, in_batches, insert_new
from lepton_server.identity import tokens
from lepton_server.identity.caller import Caller
from lepton_server.observability import metrics
from lepton_server.repositories import registry
from lepton_server.repositories.permissions import readable
from lepton_server.repositories.registry import Repository

_REMEMBERED_MS = 86_400_000


def parties(connection: Connection, upload: str) -> tuple[Repository, Caller]:
    """The repository that an upload goes to, and the caller who sends it."""
    columns = uploads.c.repository, uploads.c.account, uploads.c.token
    row = connection.execute(select(*columns).where(uploads.c.id == upload)).one()
    return registry.by_id(connection, row.repository), tokens.sender(connection, row.account, row.token)


def state_of(connection: Connection, upload: str) -> str:
    return str(connection.execute(select(uploads.c.state).where(uploads.c.id == upload)).scalar_one())


def received_packs(connection: Connection, upload: str) -> list[tuple[ReceivedPack, bool]]:
    """The packs to verify, by sequence, and whether all packs before it have arrived."""
    columns = upload_packs.c.sequence, packs.c.state, packs.c.id, packs.c.name, packs.c.storage_key, packs.c.size
    query = select(*columns).outerjoin(packs, packs.c.id == upload_packs.c.pack).where(upload_packs.c.upload == upload)
    found, turn = [], 0
    for sequence, state, id_, name, key, size in connection.execute(query.order_by(upload_packs.c.sequence)):
        turn += sequence == turn
        if state == "received":
            found.append((ReceivedPack(id_, name, key, size), sequence < turn))
    return found


def announced(connection: Connection, upload: str) -> dict[ObjectId, int]:
    """The files of an upload and their sizes in bytes."""
    query = select(upload_manifests.c.oid, upload_manifests.c.size).where(upload_manifests.c.upload == upload)
    return {ObjectId(oid): size for oid, size in connection.execute(query)}


def manifest(connection: Connection, upload: str, oid: ObjectId) -> bytes:
    mine = (upload_manifests.c.upload == upload) & (upload_manifests.c.oid == oid.raw)
    return bytes(connection.execute(select(upload_manifests.c.manifest).where(mine)).scalar_one())


def verified_before(connection: Connection, caller: Caller, oid: ObjectId, manifest: bytes) -> bool:
    """Whether this very manifest was verified for a repository that the sender may read."""
    same = (objects.c.oid == oid.raw) & (objects.c.manifest_digest == hashlib.sha256(manifest).digest())
    query = select(objects.c.id).join(object_links, object_links.c.object == objects.c.id)
    query = query.where(objects.c.tenant == caller.tenant, same, object_links.c.repository.in_(readable(caller)))
    return connection.execute(query.limit(1)).one_or_none() is not None


def store_object(connection: Connection, repository: Repository, oid: ObjectId, manifest: bytes) -> None:
    """Make a verified file visible in a repository; the first manifest stands. One that had expired there is back."""
    tombstones.lift_expired(connection, repository, [oid.raw])
    size = size_of(manifest)
    row = {"tenant": repository.tenant, "oid": oid.raw, "size": size, "manifest_digest": hashlib.sha256(manifest).digest()}
    insert_new(connection, objects, [{**row, "manifest": manifest}])
    same = [objects.c[column] == value for column, value in row.items()]
    stored = connection.execute(select(objects.c.id).where(*same)).scalar_one()
    link = {"repository": repository.id, "oid": oid.raw, "object": stored, "created": clock(connection)}
    insert_new(connection, object_links, [link])
    metrics.pushed_files.inc(size)


def note_progress(connection: Connection, upload: str, verified_bytes: int) -> None:
    connection.execute(update(uploads).where(uploads.c.id == upload).values(verified_bytes=verified_bytes))


def fail(connection: Connection, upload: str, subject: str, code: str, message: str) -> None:
    """Note what is wrong with one object, pack or chunk (hex) of an upload; what was noted first of it stays."""
    insert_new(connection, upload_failures, [{"upload": upload, "subject": subject, "code": code, "message": message}])


def fail_pack(connection: Connection, pack: int, code: str, subject: str, message: str) -> None:
    """Note what is wrong with a pack for every upload that counts on it; what was noted first stays."""
    for upload in connection.execute(select(upload_packs.c.upload).where(upload_packs.c.pack == pack)).scalars().all():
        fail(connection, upload, subject, code, message)


def failures(connection: Connection, upload: str) -> list[UploadFailure]:
    query = select(upload_failures.c.subject, upload_failures.c.code, upload_failures.c.message)
    rows = connection.execute(query.where(upload_failures.c.upload == upload).order_by(upload_failures.c.subject))
    return [UploadFailure(*row) for row in rows]


def forget_old(connection: Connection) -> None:
    """Drop what is known of uploads that ended or expired long ago; what they had verified stays."""
    long_ago = clock(connection) - _REMEMBERED_MS
    old = select(uploads.c.id).where(uploads.c.expires < long_ago, uploads.c.state != "verifying")
    for table in (upload_manifests, upload_failures, upload_packs, upload_bases, pending_packs, leases, jobs):
        connection.execute(delete(table).where(table.c.upload.in_(old)))
    connection.execute(delete(uploads).where(uploads.c.id.in_(old)))


def end(connection: Connection, upload: str, verified_bytes: int) -> None:
    """The upload is done, or failed if anything in it did. Its leases go: every chunk that it
    brought is linked by now, or was refused."""
    failed = connection.execute(select(upload_failures.c.subject).where(upload_failures.c.upload == upload).limit(1)).first()
    state = "failed" if failed else "done"
    connection.execute(update(uploads).where(uploads.c.id == upload).values(state=state, verified_bytes=verified_bytes))
    connection.execute(delete(leases).where(leases.c.upload == upload))


def on_their_way(connection: Connection, repository: int, oids: Iterable[bytes]) -> set[bytes]:
    """Those of these objects that an upload to the repository brings which has not ended yet."""
    alive = uploads.c.state.in_(["open", "verifying"]) & (uploads.c.expires > clock(connection))
    query = select(upload_manifests.c.oid).join(uploads, uploads.c.id == upload_manifests.c.upload)
    query = query.where(alive, uploads.c.repository == repository)
    found: set[bytes] = set()
    for batch in in_batches(oids):
        found.update(connection.execute(query.where(upload_manifests.c.oid.in_(batch))).scalars())
    return found
