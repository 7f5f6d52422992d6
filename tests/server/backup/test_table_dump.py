"""Rows of a backup: which tables are in it, and that every value comes back as it was."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import insert, select

from lepton_server.backends import open_database
from lepton_server.backup.snapshot import BadSnapshot
from lepton_server.backup.table_dump import KEPT, LEFT_OUT, dumped, fill, number_on, parsed
from lepton_server.database.tables import accounts, encodings, metadata, objects, packs, repositories, tenants
from lepton_server.settings import ServerSettings


def test_every_table_is_kept_or_left_out_on_purpose() -> None:
    assert set(KEPT) | LEFT_OUT == set(metadata.sorted_tables)


def test_rows_come_back_as_they_were(settings: ServerSettings) -> None:
    account = {
        "id": 7,
        "tenant": 1,
        "name": "Zo\u00eb",
        "folded": "zo\u00eb",
        "kind": "user",
        "admin": True,
        "created": 5,
        "disabled": None,
    }
    repository = {"id": 9, "tenant": 1, "owner": 7, "name": "M", "folded": "m", "kind": "hosted", "visibility": "private"}
    repository |= {"codecs": "0,1", "created": 5, "quota": 1 << 61}
    pack = {"id": 3, "tenant": 1, "repository": 9, "uploader": 7, "name": bytes(range(32)), "storage_key": "t1/ab/cd", "size": 10}
    encoding = {"tenant": 1, "chunk": b"\0" * 31 + b"\1", "pack": 3, "offset": 96, "stored": 4, "raw": 4, "codec": 1, "depth": 0}
    database = open_database(settings)
    with database.write() as connection:
        connection.execute(insert(accounts).values(account))
        connection.execute(insert(repositories).values(repository))
        connection.execute(insert(packs).values(pack | {"state": "verified", "received": 1}))
        connection.execute(insert(packs).values(pack | {"id": 4, "storage_key": "t1/ab/ce", "state": "received", "received": 1}))
        connection.execute(insert(encodings).values(encoding | {"base": None, "checksum": (1 << 64) - 1}))
        linked = {"id": 2, "tenant": 1, "oid": bytes(32), "size": 4, "manifest_digest": bytes(32), "manifest": bytes(range(256))}
        connection.execute(insert(objects).values(linked))
        connection.execute(insert(metadata.tables["object_links"]).values(repository=9, oid=bytes(32), object=2, created=8))
    with database.read() as connection:
        rows = {table.name: json.loads(json.dumps(list(dumped(connection, table)))) for table in KEPT}
        before = {table.name: connection.execute(select(table)).all() for table in KEPT}
    assert len(rows["packs"]) == 1  # the other one is on its way
    with database.write() as connection:
        for table in reversed(KEPT):
            if table.name != "audit":  # which keeps what it has
                connection.execute(table.delete())
        for table in KEPT:
            if table.name != "audit":
                columns = [column.name for column in table.columns]
                assert fill(connection, table, (dict(zip(columns, row, strict=True)) for row in rows[table.name])) == len(
                    rows[table.name]
                )
        number_on(connection)
        assert connection.execute(insert(tenants).values(name="next")).inserted_primary_key == (2,)
        connection.execute(tenants.delete().where(tenants.c.id == 2))
    with database.read() as connection:
        after = {table.name: connection.execute(select(table)).all() for table in KEPT}
    before["packs"] = [row for row in before["packs"] if row.state == "verified"]
    assert after == before
    database.close()


@pytest.mark.parametrize("row", [{"unknown": 1}, {"name": "not hex"}, {"name": 5}])
def test_what_the_server_does_not_know_is_refused(row: dict[str, object]) -> None:
    with pytest.raises(BadSnapshot):
        parsed(packs, row)
