"""What is kept of uploads, and for how long."""

from __future__ import annotations

from sqlalchemy import insert, select, update

from git_lepton.wire.messages import PackOffer
from lepton_server.backends import open_database
from lepton_server.database.tables import borrowed_chunks, jobs, metadata, packs, pending_packs, upload_bases
from lepton_server.database.tables import uploads as rows
from lepton_server.identity.accounts import caller_by_id, ensure_account
from lepton_server.repositories import registry
from lepton_server.settings import ServerSettings
from lepton_server.uploads import records, sessions
from tests.server.weights_client import weights


def test_old_uploads_are_forgotten_and_young_ones_not(settings: ServerSettings) -> None:
    database = open_database(settings)
    file = weights(b"some")
    with database.write() as connection:
        caller = caller_by_id(connection, ensure_account(connection, "ann"))
        repository = registry.create(connection, caller, "ann", "models")
        old, young = (sessions.open_session(connection, caller, repository, 60) for _ in range(2))
        for session in (old, young):
            sessions.announce(connection, repository, session, file.manifest(), file.manifest().encode())
            sessions.receive(connection, caller, repository, session, PackOffer(bytes(32).hex(), 10, 0), f"key-{session}")
            records.fail(connection, session, "x", "corrupt_data", "y")
            connection.execute(insert(jobs).values(upload=session, owner="o", expires=0))
            connection.execute(insert(upload_bases).values(upload=session, repository=repository.id))
            row = {"name": bytes(32), "storage_key": f"pending-{session}", "size": 1, "sequence": 1, "created": 0}
            connection.execute(insert(pending_packs).values(upload=session, **row))
        connection.execute(update(rows).where(rows.c.id == old).values(expires=1000))
        records.forget_old(connection)
        for table in metadata.tables.values():
            if "upload" in table.c and table is not borrowed_chunks:  # what was borrowed is remembered for as long as it is held
                assert set(connection.execute(select(table.c.upload)).scalars()) == {young}, table.name
        assert connection.execute(select(rows.c.id)).scalars().all() == [young]
        assert len(connection.execute(select(packs.c.id)).all()) == 1  # the second offer found the first one's pack
    database.close()
