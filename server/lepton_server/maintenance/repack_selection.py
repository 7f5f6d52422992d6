"""The choice of packs that are worth writing anew: those of which little is alive, and small ones that fit together.

A pack is poor when less than 70 % of it is alive, and small when less than half of a full pack is. Poor ones are always written
anew; small ones where that makes fewer packs. Packs stay with those of their repository, in the order in which they came.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from sqlalchemy import Connection, func, select

from git_lepton.format.pack import HEADER_BYTES, MAX_PACK_BYTES, PACK_HEAD, TRAILER_BYTES
from lepton_server.content.chunks import Encoding
from lepton_server.content.packs import contents_of
from lepton_server.database.tables import encodings, packs
from lepton_server.maintenance.dead_chunks import Scope

_POOR = 0.7
_SMALL = MAX_PACK_BYTES // 2
_WINDOW = 16 * MAX_PACK_BYTES  # of live bytes that are sorted together: as much room as a run needs besides


@dataclass(frozen=True)
class Holding:
    """A pack and how much of it is alive; sizes in bytes, headers counted."""

    id: int
    repository: int
    uploader: int
    storage_key: str
    size: int
    received: int
    live: int
    chunks: int

    @property
    def is_poor(self) -> bool:
        return self.live < _POOR * self.size

    @property
    def is_small(self) -> bool:
        return self.live < _SMALL


def holdings(connection: Connection, scope: Scope) -> list[Holding]:
    """The packs of a scope, by repository, in the order in which they came."""
    live = func.coalesce(func.sum(encodings.c.stored + 2 * HEADER_BYTES), 0)  # a header before the payload and one in the index
    chunks = func.count(encodings.c.chunk)
    frame = len(PACK_HEAD) + HEADER_BYTES + TRAILER_BYTES
    columns = packs.c.id, packs.c.repository, packs.c.uploader, packs.c.storage_key, packs.c.size, packs.c.received
    query = select(*columns, live + frame, chunks).outerjoin(encodings, encodings.c.pack == packs.c.id)
    query = query.where(scope.settled_packs(connection)).group_by(packs.c.id)
    return [Holding(*row) for row in connection.execute(query.order_by(packs.c.repository, packs.c.received, packs.c.id))]


def worth_rewriting(found: Iterable[Holding]) -> Iterator[list[Holding]]:
    """Groups of packs of one repository to write anew together. Packs of which nothing is alive are not among them."""
    for _, group in groupby((pack for pack in found if pack.chunks), key=lambda pack: pack.repository):
        for window in _windows(pack for pack in group if pack.is_poor or pack.is_small):
            fewer = -(-sum(pack.live for pack in window) // MAX_PACK_BYTES) < len(window)
            if kept := [pack for pack in window if pack.is_poor or fewer]:
                yield kept


def _windows(found: Iterable[Holding]) -> Iterator[list[Holding]]:
    window: list[Holding] = []
    for pack in found:
        window.append(pack)
        if sum(one.live for one in window) >= _WINDOW:
            yield window
            window = []
    if window:
        yield window


def contents(connection: Connection, group: Iterable[Holding]) -> list[Encoding]:
    """The live encodings of these packs: bases before what lies on them, and as far as that allows in the order of the packs."""
    return contents_of(connection, {pack.id: pack.storage_key for pack in group})
