"""Which process verifies an upload: one at a time, another when its lease has ended, and what the first still writes then is refused."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import select, update

from git_lepton.wire.messages import PackOffer
from lepton_server.backends import open_database
from lepton_server.database.tables import jobs
from lepton_server.database.tables import uploads as rows
from lepton_server.database.transactions import Database, clock
from lepton_server.identity.accounts import caller_by_id, ensure_account
from lepton_server.repositories import registry
from lepton_server.settings import ServerSettings
from lepton_server.uploads import sessions
from lepton_server.uploads.jobs import Jobs, LeaseLost


@pytest.fixture
def database(settings: ServerSettings) -> Iterator[Database]:
    opened = open_database(settings)
    yield opened
    opened.close()


def new_upload(database: Database, *, committed: bool = True, pack: bool = False) -> str:
    with database.write() as connection:
        caller = caller_by_id(connection, ensure_account(connection, "ann"))
        found = registry.find(connection, "ann", "models")
        repository = found or registry.create(connection, caller, "ann", "models")
        session = sessions.open_session(connection, caller, repository, 60)
        if pack:
            sessions.receive(connection, caller, repository, session, PackOffer("11" * 32, 10, 0), "aa/bb")
        if committed:
            sessions.commit(connection, session)
    return session


def end_leases(database: Database) -> None:
    with database.write() as connection:
        connection.execute(update(jobs).values(expires=clock(connection) - 1))


def test_a_job_is_one_process_s_until_its_lease_ends(database: Database) -> None:
    session = new_upload(database)
    one, two = Jobs(database, 60), Jobs(database, 60)
    assert one.waiting() == two.waiting() == [session]
    assert one.take(session)
    assert not two.take(session)
    assert one.waiting() == two.waiting() == []
    end_leases(database)
    assert two.waiting() == [session]
    assert two.take(session)
    with database.write() as connection, pytest.raises(LeaseLost):
        one.confirm(connection, session)
    with pytest.raises(LeaseLost):
        one.keep(session)
    with database.write() as connection:
        two.confirm(connection, session)
    two.drop(session)
    assert one.take(session)


def test_who_waits_for_news_keeps_its_jobs_but_not_the_upload_alive(database: Database) -> None:
    session, foreign = new_upload(database, committed=False), new_upload(database, committed=False)
    one, two = Jobs(database, 60), Jobs(database, 60)
    assert one.take(session)
    assert two.take(foreign)
    end_leases(database)
    with database.read() as connection:
        life = connection.execute(select(rows.c.expires).where(rows.c.id == session)).scalar_one()
    assert one.hold([session, foreign]) == {session}
    assert not two.take(session)
    with database.read() as connection:
        assert connection.execute(select(rows.c.expires).where(rows.c.id == session)).scalar_one() == life


def test_only_what_is_left_to_verify_waits_for_somebody(database: Database) -> None:
    one = Jobs(database, 60)
    new_upload(database, committed=False)  # nothing has come
    with_pack = new_upload(database, committed=False, pack=True)
    assert one.waiting() == [with_pack]
    with database.write() as connection:
        connection.execute(update(rows).where(rows.c.id == with_pack).values(expires=clock(connection) - 1))
    assert one.waiting() == []


def test_a_process_that_ends_lets_go_of_its_own_jobs_only(database: Database) -> None:
    mine, foreign = new_upload(database), new_upload(database)
    one, two = Jobs(database, 60), Jobs(database, 60)
    assert one.take(mine)
    assert two.take(foreign)
    one.drop_all()
    assert two.waiting() == [mine]
