"""What people lose when chunks cannot be read: by repository, file and, where it is found at a branch or tag, by its path there."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy
from sqlalchemy import Connection, select

from git_lepton.errors import LeptonError
from git_lepton.format.identifiers import ObjectId
from git_lepton.format.manifest import parse_manifest
from git_lepton.format.pointer import Pointer
from lepton_server import repositories
from lepton_server.care.history import open_history
from lepton_server.database import Database
from lepton_server.git_hosting import refs_of
from lepton_server.manifest_names import name_heads
from lepton_server.repositories import Repository
from lepton_server.settings import ServerSettings
from lepton_server.tables import object_links, objects

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
        found = [(repositories.by_id(connection, number), oids) for number, oids in sorted(held.items())]
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
    """Where the pointers of these objects stand at branches and tags; nothing where the history is elsewhere, or in disorder."""
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
                    found.setdefault(oid, []).append(f"{ref}:{path.decode('utf-8', 'backslashreplace')}")
    except LeptonError:
        return {oid: tuple(places) for oid, places in found.items()}
    return {oid: tuple(places) for oid, places in found.items()}


def _blob_name(content: bytes) -> str:
    """What git calls a blob of these bytes."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()  # noqa: S324 (git's own naming)
