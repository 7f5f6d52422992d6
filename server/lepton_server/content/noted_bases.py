"""Noted bases: the chunks that a file lay on in its repository when a note of it was made beside the packs, and whose the borrowed ones
were.

An older copy of the database knows no more what somebody allowed, or what was brought. What a note gives is not asked for again.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from git_lepton.format.identifiers import ObjectId
from lepton_server.content import chunks
from lepton_server.content.rebuild import Rebuild
from lepton_server.database.tables import borrowed_chunks
from lepton_server.database.tables import repositories as rows
from lepton_server.database.transactions import in_batches
from lepton_server.repositories import registry

_NAME = 32
GONE = 0  # no repository has this number


@dataclass(frozen=True)
class Lent:
    """Chunks that were borrowed from the repository that had this number and was made then (milliseconds since 1970)."""

    source: int
    created: int
    allowed: bool
    account: str
    upload: str
    chunks: frozenset[bytes]

    @classmethod
    def read(cls, noted: dict[str, Any]) -> Lent:
        """Raises KeyError, ValueError, TypeError."""
        source, created, names = int(noted["source"]), int(noted["created"]), _split(noted["chunks"])
        return cls(source, created, bool(noted["allowed"]), str(noted["account"]), str(noted["upload"]), names)

    def written(self) -> dict[str, Any]:
        return {**vars(self), "chunks": _joined(self.chunks)}

    def still_from(self, connection: Connection) -> int:
        """The number of that repository, where the database knows it; an older database gives a number anew."""
        same = select(rows.c.id).where(rows.c.id == self.source, rows.c.created == self.created)
        return connection.execute(same).scalar_one_or_none() or GONE


@dataclass(frozen=True)
class NotedBases:
    """`held` are all chunks that the file lay on and does not consist of."""

    held: frozenset[bytes] = frozenset()
    lent: tuple[Lent, ...] = ()

    @classmethod
    def of(cls, connection: Connection, number: int, oid: bytes, manifest: bytes) -> NotedBases:
        """The bases under a file of this repository (its id) as they are now."""
        repository, held, rebuild = registry.by_id(connection, number), set[bytes](), Rebuild(ObjectId(oid), manifest)
        for window in rebuild.windows():
            found = chunks.linked(connection, repository, window)
            held |= chunks.with_bases(connection, repository.tenant, found).keys() - found.keys()
        held -= rebuild.common(held)
        return cls(frozenset(held), tuple(_lent(connection, number, held)))

    @classmethod
    def read(cls, noted: dict[str, Any]) -> NotedBases:
        """Raises KeyError, ValueError, TypeError."""
        return cls(_split(noted["held"]), tuple(map(Lent.read, noted["lent"])))

    def written(self) -> dict[str, Any]:
        return {"held": _joined(self.held), "lent": [one.written() for one in self.lent]}


def _lent(connection: Connection, number: int, held: set[bytes]) -> Iterator[Lent]:
    table = borrowed_chunks.c
    columns = select(table.chunk, table.source, rows.c.created, table.allowed, table.account, table.upload)
    query = columns.outerjoin(rows, rows.c.id == table.source).where(table.repository == number)
    groups: dict[tuple[int, int, bool, str, str], set[bytes]] = {}
    for batch in in_batches(sorted(held)):
        for row in connection.execute(query.where(table.chunk.in_(batch))):
            groups.setdefault((row.source, row.created or 0, bool(row.allowed), row.account, row.upload), set()).add(row.chunk)
    return (Lent(*group, frozenset(names)) for group, names in sorted(groups.items()))


def _joined(names: frozenset[bytes]) -> str:
    return base64.b64encode(b"".join(sorted(names))).decode()


def _split(text: str) -> frozenset[bytes]:
    """Raises ValueError."""
    data = base64.b64decode(text, validate=True)
    if len(data) % _NAME:
        raise ValueError("these are not names of chunks")
    return frozenset(data[start : start + _NAME] for start in range(0, len(data), _NAME))
