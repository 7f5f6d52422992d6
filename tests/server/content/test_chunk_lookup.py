"""Many chunks in one statement: found by the index, in any order, as often as they are asked for."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, insert, select

from lepton_server.backends import open_database
from lepton_server.content import chunk_lookup, chunks
from lepton_server.database.tables import chunk_links, encodings, packs
from lepton_server.database.transactions import Database
from lepton_server.downloads.plan import PlanDraft
from lepton_server.identity.accounts import caller_by_id, ensure_account
from lepton_server.repositories import registry
from lepton_server.repositories.registry import Repository
from lepton_server.settings import ServerSettings
from lepton_server.uploads.sessions import have, open_session

COUNT = 3_000
CHUNKS = [random.Random(number).randbytes(32) for number in range(COUNT)]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    opened = open_database(ServerSettings(tmp_path_factory.mktemp("lookup")))
    with opened.write() as connection:
        fill(connection)
    yield opened
    opened.close()


def fill(connection: Connection) -> None:
    account = ensure_account(connection, "ada")
    repository = registry.create(connection, caller_by_id(connection, account), "ada", "models")
    rows = [
        {"id": number, "tenant": 1, "repository": repository.id, "uploader": account, "name": bytes([number]) * 32}
        | {"storage_key": f"00/{number}", "size": 10, "state": state, "received": 0}
        for number, state in ((1, "verified"), (2, "condemned"))
    ]
    connection.execute(insert(packs), rows)
    stored = [
        {"tenant": 1, "chunk": chunk, "pack": 1 + (number % 10 == 9), "offset": number, "stored": 5, "raw": 9, "codec": 4}
        | {
            "depth": int(number % 3 == 1),
            "base": CHUNKS[number - 1] if number % 3 == 1 else None,
            "checksum": (1 << 64) - 1 - number,
        }
        for number, chunk in enumerate(CHUNKS)
    ]
    connection.execute(insert(encodings), stored)
    linked = [{"repository": repository.id, "chunk": chunk} for number, chunk in enumerate(CHUNKS) if number % 7]
    connection.execute(insert(chunk_links), linked)


def there(number: int) -> bool:
    """Linked, and in a pack that is not condemned."""
    return bool(number % 7) and number % 10 != 9


def the_repository(connection: Connection) -> Repository:
    found = registry.find(connection, "ada", "models")
    assert found
    return found


def test_names_come_back_in_an_order_that_an_index_has() -> None:
    digests = b"".join(CHUNKS)
    order, ordered = chunk_lookup.sorted_names(digests)
    assert [CHUNKS[at] for at in order] == sorted(CHUNKS)
    assert ordered == b"".join(sorted(CHUNKS))


def test_what_is_linked_is_found_with_all_bits_of_its_checksum(database: Database) -> None:
    with database.read() as connection:
        found = chunks.linked(connection, the_repository(connection), [*CHUNKS, bytes(32), CHUNKS[1]])
    assert found.keys() == {chunk for number, chunk in enumerate(CHUNKS) if there(number)}
    assert all(found[chunk].checksum == (1 << 64) - 1 - found[chunk].offset for chunk in found)


def test_a_plan_has_the_order_that_was_asked_for(database: Database) -> None:
    asked = [number for number in range(COUNT) if number % 3 != 1]
    random.Random(1).shuffle(asked)
    with database.read() as connection:
        draft = PlanDraft(connection, the_repository(connection), b"".join(CHUNKS[number] for number in asked))
    text = b"".join(draft.parts()).decode()
    offsets = [int(entry.split(",")[1]) for entry in text.partition('"entries":[[')[2].partition("]]")[0].split("],[")]
    assert offsets == [number for number in asked if there(number)]
    missing = text.partition('"missing":[')[2].partition("]")[0].split(",")
    assert [int(at) for at in missing] == [at for at, number in enumerate(asked) if not there(number)]


def test_have_says_how_many_bases_lie_under_each(database: Database) -> None:
    with database.write() as connection:
        caller = caller_by_id(connection, 1)
        repository = the_repository(connection)
        session = open_session(connection, caller, repository, 60)
    answer = have(database, caller, repository, session, b"".join(CHUNKS))
    # what ada may read elsewhere counts too, and she may read all that is linked anywhere: here only in this repository
    assert [state != 0 for state in answer] == [there(number) for number in range(COUNT)]
    assert {state for number, state in enumerate(answer) if there(number) and number % 3 == 1} == {3}


def test_the_index_is_used(database: Database) -> None:
    with database.read() as connection:
        wanted = chunk_lookup.asked(connection, b"".join(sorted(CHUNKS[:50])))
        query = select(encodings.c.pack).select_from(wanted)
        query = query.join(encodings, (encodings.c.tenant == 1) & (encodings.c.chunk == wanted.c.chunk))
        compiled = query.compile(connection)
        told = connection.exec_driver_sql(
            f"EXPLAIN QUERY PLAN {compiled}", tuple(compiled.params[name] for name in compiled.positiontup)
        )
        steps = [row[3] for row in told]
    assert any(step.startswith("SEARCH encodings USING PRIMARY KEY (tenant=? AND chunk=?)") for step in steps), steps
