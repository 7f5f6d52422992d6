"""Checks of a restored database: every file's chunks are there and linked, and every chunk is the one that its name says.

Works in the transaction that filled the tables, so that nothing is visible before it was looked at.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

import numpy
from numpy.typing import NDArray
from sqlalchemy import Connection, delete, exists, select

from git_lepton.errors import CorruptData
from git_lepton.format.identifiers import ObjectId
from git_lepton.format.manifest import check_manifest
from lepton_server.content import chunks
from lepton_server.content.chunks import Encoding
from lepton_server.content.decoder import Decoder
from lepton_server.content.manifest_arrays import chunk_names
from lepton_server.content.packs import contents_of
from lepton_server.content.rebuild import Rebuild
from lepton_server.database.tables import chunk_links, encodings, object_links, objects, packs, repositories
from lepton_server.storage.object_store import ObjectStore

_WINDOW = 4_000
_NAME = numpy.dtype("S32")  # zeros at an end count here too: all have the same length
Names = NDArray[numpy.bytes_]


class NotWhole(CorruptData):
    """A backup does not hold all that it says."""


class Incomplete(NamedTuple):
    """A file that a repository (its number and name) is said to hold, and does not hold whole."""

    repository: int
    name: str
    oid: bytes
    why: str

    def told(self) -> str:
        return f"{self.name} sha256:{self.oid.hex()}: {self.why}"


def incomplete_files(connection: Connection) -> Iterator[Incomplete]:
    """Linked files that are not the ones that their manifests name, or of which a chunk is not linked or not stored. Raises BadManifest."""
    query = select(repositories.c.id, repositories.c.tenant, repositories.c.name)
    for number, tenant, name in connection.execute(query).all():
        held = _held(connection, number, tenant)
        columns = select(object_links.c.oid, objects.c.oid.label("own"), objects.c.manifest_digest, objects.c.manifest)
        linked = columns.join(objects, objects.c.id == object_links.c.object).where(object_links.c.repository == number)
        for oid, own, digest, manifest in connection.execute(linked.execution_options(yield_per=50)):
            if not oid == own == check_manifest(manifest).oid.raw or hashlib.sha256(manifest).digest() != digest:
                yield Incomplete(number, name, oid, "its manifest is that of another file")
            elif not _all_in(chunk_names(manifest), held):
                yield Incomplete(number, name, oid, "a part of it is not there")


def let_go_of(connection: Connection, broken: Iterable[Incomplete]) -> None:
    """These files count as stored no more, so that whoever has them can push them again."""
    for file in broken:
        mine = (object_links.c.repository == file.repository) & (object_links.c.oid == file.oid)
        connection.execute(delete(object_links).where(mine))


def count_files(connection: Connection) -> int:
    """How many files are held, those of several repositories once."""
    return len(connection.execute(select(object_links.c.object).distinct()).all())


def check_chunks(connection: Connection, store: ObjectStore, threads: int) -> int:
    """Decode every stored chunk and compare it with its name, all chains to their end; how many there are. Raises CorruptData."""
    decoder, count = Decoder(store, threads), 0
    try:
        for tenant, found in _stored(connection):
            below = chunks.with_bases(connection, tenant, {encoding.chunk: encoding for encoding in found})
            count += sum(1 for _ in decoder.decoded(found, below))
    finally:
        decoder.close()
    return count


def check_files(connection: Connection, store: ObjectStore, threads: int) -> None:
    """Rebuild every file and compare its SHA-256 with its name. Raises NotWhole, CorruptData."""
    decoder = Decoder(store, threads)
    try:
        held = exists().where(object_links.c.object == objects.c.id)
        query = select(objects.c.id, objects.c.tenant, objects.c.oid).where(held).order_by(objects.c.id)
        for number, tenant, oid in connection.execute(query).all():
            manifest = connection.execute(select(objects.c.manifest).where(objects.c.id == number)).scalar_one()
            rebuild = Rebuild(ObjectId(oid), manifest)
            while run := list(rebuild.upcoming(_WINDOW)):
                located = chunks.with_bases(connection, tenant, chunks.in_tenant(connection, tenant, run))
                if not set(run) <= located.keys():
                    raise NotWhole(f"a part of the file {oid.hex()} is not in this backup")
                for _, data in decoder.decoded((located[name] for name in run), located):
                    rebuild.feed(data)
            if not rebuild.matches:
                raise NotWhole(f"the file {oid.hex()} does not have the SHA-256 that its name says")
    finally:
        decoder.close()


def _stored(connection: Connection) -> Iterator[tuple[int, list[Encoding]]]:
    """Tenant and encodings, as they lie in packs."""
    for number, key, tenant in connection.execute(
        select(packs.c.id, packs.c.storage_key, packs.c.tenant).order_by(packs.c.id)
    ).all():
        rows = iter(sorted(contents_of(connection, {number: key}), key=lambda encoding: encoding.offset))
        while window := list(islice(rows, _WINDOW)):
            yield tenant, window


def _held(connection: Connection, repository: int, tenant: int) -> Names:
    """The chunks that a repository may read and that are stored, sorted."""
    here = (encodings.c.chunk == chunk_links.c.chunk) & (encodings.c.tenant == tenant)
    query = select(chunk_links.c.chunk).join(encodings, here).where(chunk_links.c.repository == repository)
    return numpy.sort(numpy.frombuffer(b"".join(connection.execute(query).scalars()), _NAME))


def _all_in(wanted: Names, held: Names) -> bool:
    if not len(held):
        return False
    place = numpy.minimum(numpy.searchsorted(held, wanted), len(held) - 1)
    return bool((held[place] == wanted).all())
