"""The one function that decides about one repository, and the query that decides about all, say the same."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, insert, select, update

from lepton_server.database.tables import grants, redirects, tenants
from lepton_server.database.tables import repositories as rows
from lepton_server.errors import Refusal
from lepton_server.identity.accounts import caller_by_id, ensure_account
from lepton_server.identity.caller import Caller
from lepton_server.repositories import registry
from lepton_server.repositories.permissions import GRANTABLE, ROLES, Action, readable, require, role_of
from lepton_server.repositories.registry import VISIBILITIES, Repository


def people(connection: Connection) -> list[Caller]:
    names = ["outsider", *GRANTABLE]
    found = [caller_by_id(connection, ensure_account(connection, name)) for name in names]
    found.append(caller_by_id(connection, ensure_account(connection, "boss", admin=True)))
    return found


def all_repositories(connection: Connection, callers: list[Caller]) -> list[Repository]:
    made = []
    for visibility in VISIBILITIES:
        repository = registry.create(connection, callers[-1], "team", visibility, visibility=visibility)
        for caller in callers[1:-1]:
            connection.execute(insert(grants).values(repository=repository.id, account=caller.account, role=caller.name))
        made.append(repository)
    return made


def test_both_say_the_same(connection: Connection) -> None:
    callers = people(connection)
    connection.execute(insert(tenants).values(id=2, name="other"))
    callers.append(Caller(callers[-1].account, "stranger", 2, admin=True))
    made = all_repositories(connection, callers[:-1])
    for caller in callers:
        ids = set(connection.execute(readable(caller)).scalars())
        assert ids == {repository.id for repository in made if role_of(connection, caller, repository)}, caller


def test_roles_and_what_they_allow(connection: Connection) -> None:
    callers = people(connection)
    private = all_repositories(connection, callers)[0]
    least = {Action.READ: "reader", Action.WRITE: "writer", Action.MAINTAIN: "maintainer", Action.OWN: "owner"}
    for caller in callers[1:]:
        role = "admin" if caller.admin else caller.name
        for action, needed in least.items():
            if ROLES.index(role) >= ROLES.index(needed):
                assert require(connection, caller, private, action) == role
            else:
                with pytest.raises(Refusal) as refused:
                    require(connection, caller, private, action)
                assert refused.value.code == "forbidden"


def test_what_lies_under_ones_own_name_is_ones_own(connection: Connection) -> None:
    caller = people(connection)[0]
    mine = registry.create(connection, caller, "Outsider", "models")
    assert role_of(connection, caller, mine) == "owner"
    assert (mine.owner, mine.full_name) == ("outsider", "outsider/models")


def test_a_moved_repository_is_found_under_its_old_name(connection: Connection) -> None:
    caller = people(connection)[0]
    mine = registry.create(connection, caller, "outsider", "old")
    connection.execute(insert(redirects).values(owner_folded="outsider", name_folded="old", repository=mine.id))
    moved = {"name": "new", "folded": "new"}
    connection.execute(update(rows).where(rows.c.id == mine.id).values(moved))
    found = registry.find(connection, "outsider", "old")
    assert found is not None
    assert (found.id, found.name) == (mine.id, "new")
    assert connection.execute(select(rows.c.id)).scalars().all() == [mine.id]
