"""No look-up crosses a tenant: every statement on content that another tenant's requests cause is bound to what is that tenant's own.

The statements are those that the database is really asked, while admins, owners and users of one tenant ask every route about their own
repository and about another tenant's. Names alone are looked up for the whole server: an address says no tenant.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import BinaryExpression, BindParameter, ClauseElement, Column, Engine, Select, Table, event, select
from sqlalchemy.sql import visitors
from sqlalchemy.sql.dml import Insert

from git_lepton.wire.protocol import MISSING
from lepton_server import backends
from lepton_server.database.tables import accounts, jobs, metadata, packs, repositories, shares, teams, tenants, uploads
from lepton_server.http.app import create_app
from lepton_server.identity.accounts import ensure_account
from lepton_server.identity.tokens import create_token
from lepton_server.settings import ServerSettings
from tests.server import everybody as cast
from tests.server.git.small_git_server import serving
from tests.server.http.test_route_matrix import GIT, ROUTES, ask
from tests.server.weights_client import WeightsClient, weights

CONTENT = {
    metadata.tables[name]
    for name in (
        *("chunk_links", "object_links", "encodings", "objects", "packs", "former_places", "tombstones"),
        *("refs", "rules", "evidence", "locks", "shares", "share_files", "grants", "team_grants", "audit"),
        *("upload_packs", "upload_manifests", "upload_failures", "leases", "pending_packs"),
    )
}
BINDING = ("tenant", "repository", "repository_id", "upload", "pack", "share", "team", "account")
MADE_AND_GONE = ("team", "share")  # while it was listened to
_UNKNOWN = 999_999_999  # what no row has


@dataclass
class Asked:
    """The statements on content that were asked while it listens, with the values that bind them."""

    statements: list[tuple[ClauseElement, dict[str, Any]]] = field(default_factory=list)
    listening: bool = False

    def __call__(self, _connection: Any, clause: Any, many: Any, one: Any, _options: Any) -> None:
        if self.listening and isinstance(clause, ClauseElement):
            given = (many or [one or {}])[0]
            if touched(clause) and not answers_no_client(clause):
                self.statements.append((clause, dict(given)))


def touched(clause: ClauseElement) -> set[Table]:
    """The tables of content that a statement reads or writes."""
    found = {element for element in visitors.iterate(clause) if isinstance(element, Table)}
    found |= {
        element.table for element in visitors.iterate(clause) if isinstance(element, Column) and isinstance(element.table, Table)
    }
    return found & CONTENT


def answers_no_client(clause: ClauseElement) -> bool:
    """The server's own look for work to do; and a share by its secret, which is a right by itself, whoever has it."""
    columns = {element for element in visitors.iterate(clause) if isinstance(element, Column)}
    return jobs in {element.table for element in columns} or shares.c.digest in columns


def bindings(clause: ClauseElement, given: dict[str, Any]) -> dict[str, set[Any]]:
    """For each column that says whose a row is: the values that the statement holds it to, or gives it."""
    found: dict[str, set[Any]] = {}
    for element in visitors.iterate(clause):
        if not isinstance(element, BinaryExpression):
            continue
        sides = [element.left, element.right]
        column = next((side for side in sides if isinstance(side, Column)), None)
        bound = next((side for side in sides if isinstance(side, BindParameter)), None)
        if column is not None and bound is not None:
            values = bound.effective_value
            name = _owner_column(column)
            if name:
                found.setdefault(name, set()).update(values if isinstance(values, list | set | frozenset | tuple) else [values])
    if isinstance(clause, Insert):
        given = given or {
            str(key): value.effective_value for key, value in (clause._values or {}).items() if hasattr(value, "effective_value")
        }  # type: ignore[attr-defined]
        for name in BINDING:
            if given.get(name) is not None and (name == "upload" or not isinstance(given[name], str)):  # the audit log has names
                found.setdefault(name, set()).add(given[name])
    return found


def _owner_column(column: Column[Any]) -> str:
    if column.name == "id" and isinstance(column.table, Table):
        return {"packs": "pack", "repositories": "repository", "uploads": "upload", "shares": "share"}.get(column.table.name, "")
    return column.name if column.name in BINDING else ""


@pytest.fixture
def asked(settings: ServerSettings) -> Iterator[tuple[Asked, int, Engine, cast.Everybody]]:
    """A server in this process, on which two tenants have something, and its ear."""
    asked = Asked()
    app = create_app(settings)
    with serving(app) as port:
        engine = app.state.services.database.engine
        with backends.changes(settings) as connection:
            admin = create_token(connection, ensure_account(connection, "admin", admin=True))
        people = cast.settle(settings, admin)
        event.listen(engine, "before_execute", asked)
        yield asked, port, engine, people


def test_every_statement_on_content_is_bound_to_the_tenant_that_asks(
    asked: tuple[Asked, int, Engine, cast.Everybody],
) -> None:
    ear, port, engine, people = asked
    url = f"http://127.0.0.1:{port}"
    shared = weights(random.Random(1).randbytes(3000), b"second" * 500)
    with WeightsClient(url, people.tokens["owner"], "acme/models") as theirs:
        theirs.upload(shared)
    ear.listening = True
    heard = -1
    while len(ear.statements) > heard:  # what the server does of its own accord after an upload is the other tenant's
        heard = len(ear.statements)
        time.sleep(1)
    ear.statements.clear()
    mine = "umbrella/models"
    with WeightsClient(url, people.tokens["foreign_owner"], mine) as client:
        assert client.ask("POST", "fork", json={}).status_code == 201
        session = client.open()
        assert client.have(session, shared.names) == [MISSING, MISSING]
        assert client.upload(shared)["state"] == "done"  # the same weights, once more
        assert client.fetch(shared.names[0]) == shared.data[:3000]
    for name in ("foreign", "foreign_owner", "foreign_admin"):
        with cast.bearer_at(url, people.tokens[name]) as client:
            for route, expected in (ROUTES | GIT).items():
                if not route.endswith(("/metrics", "/readyz")):  # of the whole server: for its own admins
                    for repository in ("acme/models", mine):
                        ask(client, route, expected.call, repository, organisation="umbrella")
    ear.listening = False
    own, theirs_now = _of(engine, "beyond"), _of(engine, "default")
    assert len(ear.statements) > 200
    seen = set()
    for clause, given in ear.statements:
        bound = bindings(clause, given)
        seen |= touched(clause)
        assert bound, f"bound to nothing: {clause}"
        for column, values in bound.items():
            assert not values & (theirs_now[column] - own[column]), f"{column} {values}: {clause}"
            if column not in MADE_AND_GONE:
                assert values <= own[column] | {_UNKNOWN, None}, f"{column} {values - own[column]}: {clause}"
    assert {table.name for table in CONTENT - seen} <= {"former_places", "share_files", "pending_packs", "upload_failures"}


def _of(engine: Engine, tenant: str) -> dict[str, set[Any]]:
    """What is a tenant's own, for each column that binds a statement."""
    with engine.connect() as connection:

        def ids(query: Select[Any]) -> set[Any]:
            return set(connection.execute(query).scalars())

        number = connection.execute(select(tenants.c.id).where(tenants.c.name == tenant)).scalar_one()
        here = ids(select(repositories.c.id).where(repositories.c.tenant == number))
        people = ids(select(accounts.c.id).where(accounts.c.tenant == number))
        return {
            "tenant": {number},
            "repository": here,
            "repository_id": here,
            "account": people,
            "pack": ids(select(packs.c.id).where(packs.c.tenant == number)),
            "upload": ids(select(uploads.c.id).where(uploads.c.repository.in_(here))),
            "share": ids(select(shares.c.id).where(shares.c.repository.in_(here))),
            "team": ids(select(teams.c.id).where(teams.c.organisation.in_(people))),
        }
