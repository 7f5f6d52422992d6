"""Losses: the files that people lose when chunks cannot be read, by repository and oid, with the path where a branch or tag has one."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

import numpy
from sqlalchemy import Connection, delete, select

from git_lepton.errors import LeptonError
from git_lepton.format.identifiers import ObjectId
from git_lepton.format.manifest import parse_manifest
from git_lepton.format.pointer import Pointer
from git_lepton.format.visible import visible
from lepton_server.content import chains, journal, tombstones
from lepton_server.content.manifest_arrays import name_heads
from lepton_server.content.packs import condemn_empty
from lepton_server.database.tables import chunk_links, encodings, object_links, objects, repositories
from lepton_server.database.transactions import Database, in_batches
from lepton_server.git.history import open_history
from lepton_server.git.refs import refs_of
from lepton_server.identity import audit_log
from lepton_server.repositories import naming, quotas, registry
from lepton_server.repositories.registry import Repository
from lepton_server.settings import ServerSettings

_OBJECTS_AT_ONCE = 200
_MOST_REFS = 100  # of a repository that are looked through


@dataclass(frozen=True)
class Loss:
    """A file of a repository that cannot be rebuilt; `places` are `REF:PATH`, none where only history has it."""

    repository: str
    oid: str
    size: int
    places: tuple[str, ...]

    def told(self) -> str:
        return f"{self.repository} sha256:{self.oid} ({', '.join(self.places) or 'in its history'})"


def find_losses(database: Database, settings: ServerSettings, tenant: int, chunks: Collection[bytes]) -> list[Loss]:
    """The files of a tenant that need one of these chunks."""
    with database.read() as connection:
        lost = dict(_objects_with(connection, tenant, chunks))
        held: dict[int, list[bytes]] = {}
        for number, oid in connection.execute(
            select(object_links.c.repository, object_links.c.oid).where(object_links.c.object.in_(lost))
        ):
            held.setdefault(number, []).append(oid)
        found = [(registry.by_id(connection, number), oids) for number, oids in sorted(held.items())]
    sizes = dict(lost.values())
    return [
        Loss(repository.full_name, oid.hex(), sizes[oid], places.get(oid, ()))
        for repository, oids in found
        for places in [_places(settings, repository, {oid: sizes[oid] for oid in oids})]
        for oid in sorted(oids)
    ]


def _objects_with(connection: Connection, tenant: int, chunks: Collection[bytes]) -> Iterator[tuple[int, tuple[bytes, int]]]:
    """Number, oid and size of the objects in whose manifest one of these chunks is."""
    heads = numpy.unique(numpy.frombuffer(b"".join(chunk[:8] for chunk in chunks), "<u8"))
    numbers = list(connection.execute(select(objects.c.id).where(objects.c.tenant == tenant).order_by(objects.c.id)).scalars())
    columns = select(objects.c.id, objects.c.oid, objects.c.size, objects.c.manifest)
    for start in range(0, len(numbers), _OBJECTS_AT_ONCE):
        for number, oid, size, manifest in connection.execute(
            columns.where(objects.c.id.in_(numbers[start : start + _OBJECTS_AT_ONCE]))
        ):
            if numpy.isin(name_heads(manifest), heads).any() and any(
                entry.chunk.raw in chunks for entry in parse_manifest(manifest).entries
            ):
                yield number, (oid, size)


def _places(settings: ServerSettings, repository: Repository, sizes: dict[bytes, int]) -> dict[bytes, tuple[str, ...]]:
    """The places (REF:PATH) of these objects' pointers at branches and tags; none where the history is elsewhere, or in disorder."""
    if repository.kind != "hosted":
        return {}
    blobs = {_blob_name(Pointer(ObjectId(oid), size).encode()): oid for oid, size in sizes.items()}
    found: dict[bytes, list[str]] = {}
    try:
        git = open_history(settings, repository)
        for ref in sorted(refs_of(git))[:_MOST_REFS]:
            for line in git.run("ls-tree", "-r", "-z", "--full-tree", ref).split(b"\0")[:-1]:
                head, _, path = line.partition(b"\t")
                oid = blobs.get(head.split(b" ")[2].decode())
                if oid is not None:
                    found.setdefault(oid, []).append(visible(f"{ref}:{path.decode('utf-8', 'surrogateescape')}"))
    except LeptonError:
        return {oid: tuple(places) for oid, places in found.items()}
    return {oid: tuple(places) for oid, places in found.items()}


def _blob_name(content: bytes) -> str:
    """What git calls a blob of these bytes."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()  # noqa: S324 (git's own naming)


_LOST = "the server has it no longer, and no backup had it"


def give_up(database: Database, tenant: int, chunks: Collection[bytes], lost: Collection[Loss]) -> None:
    """Drop these chunks, none of which can be read, with all that lies on them, and unlink the files that need them, in whatever
    repository of the tenant: one may have been forked since it was found out who holds them."""
    with database.write() as connection:
        here = select(repositories.c.id).where(repositories.c.tenant == tenant)
        for loss in lost:
            audit_log.note(connection, None, "object.lost", repository=loss.repository, subject=loss.oid)
        for batch in in_batches({bytes.fromhex(loss.oid) for loss in lost}):
            mine = object_links.c.oid.in_(batch) & object_links.c.repository.in_(here)
            connection.execute(delete(object_links).where(mine))
        doomed = set(chunks)
        while more := {chunk for chunk, _, _ in chains.lying_on(connection, tenant, doomed)} - doomed:
            doomed |= more
        left: set[int] = set()
        for batch in in_batches(sorted(doomed)):
            stored = (encodings.c.tenant == tenant) & encodings.c.chunk.in_(batch)
            left.update(connection.execute(select(encodings.c.pack).where(stored)).scalars())
            connection.execute(delete(chunk_links).where(chunk_links.c.chunk.in_(batch), chunk_links.c.repository.in_(here)))
            connection.execute(delete(encodings).where(stored))
        condemn_empty(connection, left)  # or a push that makes the same pack again would be told that it is there
        quotas.forget_count(connection, tenant)


def say_lost(database: Database, missing: Iterable[Loss]) -> None:
    """These weights, which refs reach and which are not stored, are lost: people who meet their pointers are told, whoever has them brings
    them back by pushing them, and nothing is kept for their sake any more."""
    with database.write() as connection:
        for loss in missing:
            repository = naming.known_repository(connection, loss.repository)
            audit_log.note(connection, None, "object.lost", repository=loss.repository, subject=loss.oid)
            sizes = {bytes.fromhex(loss.oid): loss.size}
            tombstones.set_expired(connection, repository, sizes, _LOST, "the operator", tombstones.LOST)
        journal.settle(connection)
