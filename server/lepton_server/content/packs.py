"""Rows of packs: what lies in them, where they are, and when they go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import ColumnElement, Connection, delete, exists, select, update

from lepton_server.content.chunks import Encoding
from lepton_server.database.tables import encodings, former_places, leases, packs, upload_packs
from lepton_server.database.transactions import clock, insert_new_from


def contents_of(connection: Connection, keys: Mapping[int, str]) -> list[Encoding]:
    """The encodings that lie in these packs (id: storage key): bases before what lies on them, then in the order of packs and bytes."""
    places = {pack: (place, key) for place, (pack, key) in enumerate(keys.items())}
    columns = [encodings.c[name] for name in Encoding._fields if name != "storage_key"]
    rows = connection.execute(select(*columns).where(encodings.c.pack.in_(places)))
    found = [Encoding(chunk, pack, places[pack][1], *rest) for chunk, pack, *rest in rows]
    return sorted(found, key=lambda encoding: (encoding.depth, places[encoding.pack][0], encoding.offset))


def condemn_empty(connection: Connection, among: Iterable[int]) -> int:
    """Condemn those of these verified packs in which no chunk lies any more; how many."""
    lies_there = exists().where(encodings.c.pack == packs.c.id)
    empty = packs.c.id.in_(list(among)) & (packs.c.state == "verified") & ~lies_there
    return connection.execute(update(packs).where(empty).values(state="condemned", condemned_at=clock(connection))).rowcount


def forget_pack(connection: Connection, pack: int) -> None:
    """Take a pack that no encoding lies in out of the database; its bytes may then be deleted."""
    connection.execute(update(upload_packs).where(upload_packs.c.pack == pack).values(pack=None))
    connection.execute(delete(leases).where(leases.c.pack == pack))
    connection.execute(delete(former_places).where(former_places.c.pack == pack))
    connection.execute(delete(packs).where(packs.c.id == pack))


def keep_place(connection: Connection, which: ColumnElement[bool]) -> None:
    """Note where these encodings lie before they move or go: plans that were made before go on working."""
    columns = encodings.c.pack, encodings.c.offset, encodings.c.stored, encodings.c.chunk, encodings.c.base
    insert_new_from(connection, former_places, select(*columns).where(which))
