"""The mark of garbage collection: the chunks that repositories' files need. Errs only to the side of "needed".

A name is remembered by its first 8 bytes, sorted in one array: 10 million chunks take 80 MB. Two names that begin alike keep each
other; nothing is ever taken for unneeded because of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

import numpy
from sqlalchemy import Connection, select

from lepton_server.content.manifest_arrays import name_heads
from lepton_server.database.tables import chunk_links, encodings, object_links, objects, repositories, upload_manifests, uploads
from lepton_server.database.transactions import clock

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DELTA = numpy.dtype([("chunk", "<u8"), ("rest", "V24"), ("base", "<u8"), ("rest2", "V24")])
_LOOSE = 4_000_000  # names that are kept unsorted, at most


class Needed:
    """The chunks that linked objects and the announced files of live uploads consist of, and all bases under them: in a tenant, or in
    one repository of it. `without` leaves out links (repository, oid), as if they were gone."""

    def __init__(self, tenant: int, repository: int | None = None, without: Collection[tuple[int, bytes]] = frozenset()) -> None:
        self._tenant, self._repository, self._without = tenant, repository, without
        self._sorted: NDArray[numpy.uint64] = numpy.empty(0, numpy.uint64)
        self._loose: list[NDArray[numpy.uint64]] = []
        self._objects: set[int] = set()
        self._announced: set[tuple[str, bytes]] = set()

    def update(self, connection: Connection) -> None:
        """Take in what has come since the last time. What is no longer needed stays until there is a new instance."""
        for number in sorted(self._linked(connection) - self._objects):
            row = select(objects.c.manifest).where(objects.c.id == number)
            self._take(connection.execute(row).scalar_one())
            self._objects.add(number)
        alive = (uploads.c.expires > clock(connection)) & uploads.c.state.in_(["open", "verifying"])
        columns = select(upload_manifests.c.upload, upload_manifests.c.oid).join(
            uploads, uploads.c.id == upload_manifests.c.upload
        )
        if self._repository is not None:
            alive &= uploads.c.repository == self._repository
        for upload, oid in connection.execute(columns.where(alive)).all():
            if (upload, oid) not in self._announced:
                mine = (upload_manifests.c.upload == upload) & (upload_manifests.c.oid == oid)
                self._take(connection.execute(select(upload_manifests.c.manifest).where(mine)).scalar_one())
                self._announced.add((upload, oid))

    def add_bases(self, connection: Connection) -> None:
        """Take in what lies under chunks that are needed."""
        query = select(encodings.c.chunk, encodings.c.base)
        if self._repository is not None:
            here = (chunk_links.c.chunk == encodings.c.chunk) & (chunk_links.c.repository == self._repository)
            query = query.join(chunk_links, here)
        rows = connection.execute(query.where(encodings.c.tenant == self._tenant, encodings.c.base.is_not(None)))
        pairs = b"".join(chunk + base for chunk, base in rows)
        deltas = numpy.frombuffer(pairs, _DELTA)
        while True:
            bases = numpy.unique(deltas["base"][self._holds(deltas["chunk"])])
            fresh = bases[~self._holds(bases)]
            if not len(fresh):
                return
            self._loose.append(fresh)

    def lacks(self, chunks: Iterable[bytes]) -> set[bytes]:
        """Those of these chunks that nothing needs."""
        names = list(chunks)
        heads = numpy.frombuffer(b"".join(name[:8] for name in names), "<u8")
        return {name for name, held in zip(names, self._holds(heads), strict=True) if not held}

    def _linked(self, connection: Connection) -> set[int]:
        columns = [object_links.c.object]
        if self._without:
            columns += [object_links.c.repository, object_links.c.oid]
        query = select(*columns).join(repositories, repositories.c.id == object_links.c.repository)
        query = query.where(repositories.c.tenant == self._tenant).distinct()
        if self._repository is not None:
            query = query.where(object_links.c.repository == self._repository)
        return {row[0] for row in connection.execute(query) if tuple(row[1:]) not in self._without}

    def _take(self, manifest: bytes) -> None:
        self._loose.append(numpy.unique(name_heads(manifest)))
        if sum(map(len, self._loose)) > _LOOSE:
            self._sort()

    def _sort(self) -> None:
        self._sorted = numpy.unique(numpy.concatenate([self._sorted, *self._loose]))
        self._loose = []

    def _holds(self, heads: NDArray[numpy.uint64]) -> NDArray[numpy.bool_]:
        if self._loose:
            self._sort()
        if not len(self._sorted):
            return numpy.zeros(len(heads), numpy.bool_)
        place = numpy.minimum(numpy.searchsorted(self._sorted, heads), len(self._sorted) - 1)
        found: NDArray[numpy.bool_] = self._sorted[place] == heads
        return found
