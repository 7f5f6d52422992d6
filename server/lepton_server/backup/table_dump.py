"""A server's tables as rows of JSON values, the same from SQLite and PostgreSQL, and back.

Names of content are hex, other bytes base64, the rest as it is. Kept is what people made; left out is what lives for a moment or only
in one place: uploads on their way, leases, jobs, processes, the store's identity and the secret that signs addresses.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import Column, Connection, LargeBinary, Select, Table, exists, func, insert, select, text

from lepton_server.backup.snapshot import BadSnapshot
from lepton_server.database import tables
from lepton_server.database.tables import encodings, metadata, object_links, objects, packs
from lepton_server.database.tables.columns import Digest

LEFT_OUT = {
    tables.schema,
    tables.facts,
    tables.former_places,
    tables.stray_files,
    tables.uploads,
    tables.upload_packs,
    tables.upload_manifests,
    tables.upload_failures,
    tables.upload_bases,
    tables.pending_packs,
    tables.leases,
    tables.jobs,
    tables.processes,
}
KEPT = [table for table in metadata.sorted_tables if table not in LEFT_OUT]
"""In an order in which they can be filled."""

_AT_ONCE = 2_000
_OF_LARGE_ROWS = {"evidence": 16}  # at once: a record has up to 8 MiB
_IN_USE = (packs.c.state == "verified") & exists().where(encodings.c.pack == packs.c.id)
_ONLY: dict[str, Callable[[Select[Any]], Select[Any]]] = {
    "packs": lambda query: query.where(_IN_USE),
    "encodings": lambda query: query.join(packs, packs.c.id == encodings.c.pack).where(packs.c.state == "verified"),
    "objects": lambda query: query.where(exists().where(object_links.c.object == objects.c.id)),
}


def dumped(connection: Connection, table: Table) -> Iterator[list[Any]]:
    """The rows of a table that belong into a backup, in the order of its key."""
    query = select(table).order_by(*table.primary_key.columns)
    if table.name in _ONLY:
        query = _ONLY[table.name](query)
    writers = [_writer(column) for column in table.columns]
    for row in connection.execute(query.execution_options(yield_per=_at_once(table))):
        yield [write(value) for write, value in zip(writers, row, strict=True)]


def fill(connection: Connection, table: Table, rows: Iterable[Mapping[str, Any]]) -> int:
    """Insert rows as `dumped` gave them, by column; how many. A column that they lack takes its default. Raises BadSnapshot."""
    batch: list[dict[str, Any]] = []
    count = 0
    for row in rows:
        batch.append(parsed(table, row))
        if len(batch) == _at_once(table):
            connection.execute(insert(table), batch)
            count, batch = count + len(batch), []
    if batch:
        connection.execute(insert(table), batch)
    return count + len(batch)


def parsed(table: Table, row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with the values that the database takes. Raises BadSnapshot."""
    try:
        return {name: _read(table.columns[name], value) for name, value in row.items()}
    except (KeyError, ValueError, TypeError):
        raise BadSnapshot(f"a row of the table {table.name} in this backup is not what this server knows") from None


def number_on(connection: Connection) -> None:
    """Let the next rows have numbers that no row has: PostgreSQL counts apart from what is inserted with a number."""
    if connection.dialect.name != "postgresql":
        return
    for table in KEPT:
        if "id" in table.c:
            highest = connection.execute(select(func.coalesce(func.max(table.c.id), 0))).scalar_one()
            statement = text("SELECT setval(pg_get_serial_sequence(:table, 'id'), :last)")
            connection.execute(statement, {"table": table.name, "last": max(int(highest), 1)})


def _at_once(table: Table) -> int:
    return _OF_LARGE_ROWS.get(table.name, _AT_ONCE)


def _writer(column: Column[Any]) -> Callable[[Any], Any]:
    if isinstance(column.type, Digest):
        return lambda value: None if value is None else bytes(value).hex()
    if isinstance(column.type, LargeBinary):
        return lambda value: None if value is None else base64.b64encode(value).decode()
    return lambda value: value


def _read(column: Column[Any], value: Any) -> Any:
    if value is None:
        return None
    if isinstance(column.type, Digest):
        return bytes.fromhex(value)
    return base64.b64decode(value, validate=True) if isinstance(column.type, LargeBinary) else value
