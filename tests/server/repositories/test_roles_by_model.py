"""`role_of`, `readable` and `require` say what a plain model of the rules says, for many people, organisations, teams and tokens."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from itertools import product

from sqlalchemy import Connection

from lepton_server.errors import Refusal
from lepton_server.identity import accounts, organisations, tenants
from lepton_server.identity.accounts import AccountRow, operator
from lepton_server.identity.caller import ALL_SCOPES, Caller
from lepton_server.repositories import grants, registry
from lepton_server.repositories.permissions import GRANTABLE, ROLES, Action, readable, require, role_of
from lepton_server.repositories.readership import at_least_as_readable
from lepton_server.repositories.registry import VISIBILITIES, Repository


@dataclass
class World:
    """What was done, kept as plain sets beside the database."""

    people: list[AccountRow] = field(default_factory=list)
    repositories: list[Repository] = field(default_factory=list)
    owners: set[tuple[int, int]] = field(default_factory=set)  # organisation, account
    teams: dict[int, set[int]] = field(default_factory=dict)  # team, accounts
    granted: dict[tuple[int, int], str] = field(default_factory=dict)  # repository, account
    granted_to_team: dict[tuple[int, int], str] = field(default_factory=dict)

    def role(self, caller: Caller, repository: Repository) -> str | None:
        if caller.tenant != repository.tenant or (caller.limited_to is not None and repository.id not in caller.limited_to):
            return None
        if caller.admin:
            return "admin"
        roles = [role for (where, who), role in self.granted.items() if (where, who) == (repository.id, caller.account)]
        for (where, team), role in self.granted_to_team.items():
            if where == repository.id and caller.account in self.teams[team]:
                roles.append(role)
        if repository.owner_account == caller.account or (repository.owner_account, caller.account) in self.owners:
            roles.append("owner")
        if repository.visibility != "private":
            roles.append("reader")
        return max(roles, key=ROLES.index, default=None)


def filled(connection: Connection, chance: random.Random) -> World:
    world = World()
    for tenant in (1, tenants.add(connection, "beyond")):
        by = operator(tenant)
        people = [_account(connection, f"p{tenant}-{n}", tenant, admin=n == 0) for n in range(5)]
        homes = [_account(connection, f"o{tenant}-{n}", tenant, kind="organisation") for n in range(3)]
        world.people += people
        for home in homes:
            members = chance.sample(people, 3)
            for member in members:
                role = chance.choice(organisations.ROLES)
                organisations.set_member(connection, by, home, member, role)
                world.owners |= {(home.id, member.id)} if role == "owner" else set()
            for name in ("red", "blue"):
                team = organisations.ensure_team(connection, by, home, name)
                world.teams[team.id] = set()
                for member in chance.sample(members, 2):
                    organisations.add_to_team(connection, by, home, team, member)
                    world.teams[team.id].add(member.id)
        for number in range(9):
            owner = chance.choice([*homes, *homes, *people])
            made = registry.create(connection, by, owner.name, f"r{number}", visibility=chance.choice(VISIBILITIES))
            world.repositories.append(made)
            for person in chance.sample(people, 2):
                world.granted[made.id, person.id] = role = chance.choice(GRANTABLE)
                grants.grant(connection, by, made, person, role)
            if owner in homes:
                team = organisations.team(connection, owner, chance.choice(("red", "blue")))
                assert team is not None
                world.granted_to_team[made.id, team.id] = role = chance.choice(GRANTABLE)
                grants.grant_team(connection, by, made, team.id, team.full_name, role)
    return world


def _account(connection: Connection, name: str, tenant: int, *, admin: bool = False, kind: str = "user") -> AccountRow:
    accounts.ensure_account(connection, name, tenant=tenant, admin=admin, kind=kind)
    return accounts.known(connection, name)


def callers(connection: Connection, world: World, chance: random.Random) -> list[Caller]:
    """Everybody, with a token for all, one that reads nothing, one that reads only, and one for three repositories."""
    found = []
    numbers = [repository.id for repository in world.repositories]
    for person in world.people:
        whole = accounts.caller_by_id(connection, person.id)
        scopes = ALL_SCOPES, frozenset({"write", "evidence"}), frozenset({"read"})
        found += [replace(whole, scopes=some) for some in scopes]
        found.append(replace(whole, limited_to=frozenset(chance.sample(numbers, 3))))
    return found


def test_who_may_do_what(connection: Connection) -> None:
    chance = random.Random(20)
    world = filled(connection, chance)
    needs = {Action.READ: "reader", Action.WRITE: "writer", Action.EVIDENCE: "writer", Action.MAINTAIN: "maintainer"}
    scope = {Action.READ: "read", Action.WRITE: "write", Action.EVIDENCE: "evidence", Action.MAINTAIN: "admin"}
    seen = set()
    for caller in callers(connection, world, chance):
        ids = set(connection.execute(readable(caller)).scalars())
        for repository in world.repositories:
            role = world.role(caller, repository)
            seen.add(role)
            assert role_of(connection, caller, repository) == role
            assert (repository.id in ids) == (role is not None and "read" in caller.scopes)
            for action, least in needs.items():
                allowed = role is not None and ROLES.index(role) >= ROLES.index(least) and scope[action] in caller.scopes
                expected = "" if allowed else "not_found" if role is None else "forbidden"
                assert _answer(connection, caller, repository, action) == expected, (caller, repository, action)
    assert seen == {None, *ROLES}  # or the world was too plain


def test_a_repository_is_at_least_as_readable_as_another_if_all_readers_of_the_one_read_the_other(connection: Connection) -> None:
    """Also for people who are yet to come, where the visibility lets everybody read."""
    chance = random.Random(21)
    world = filled(connection, chance)
    openness = {"private": 0, "internal": 1, "public": 2}
    seen = set()
    for target in world.repositories:
        here = [other for other in world.repositories if other.tenant == target.tenant]
        readers = [whole for person in world.people if world.role(whole := accounts.caller_by_id(connection, person.id), target)]
        found = at_least_as_readable(connection, target, [other.id for other in world.repositories])
        for other in here:
            by_all = all(world.role(reader, other) for reader in readers)
            expected = openness[other.visibility] >= (openness[target.visibility] or 1) or (
                target.visibility == "private" and by_all
            )
            assert (other.id in found) == expected, (target, other)
            seen.add((target.visibility, other.visibility, expected))
        assert found <= {other.id for other in here}
    assert {(target, other) for target, other, _ in seen} == set(product(VISIBILITIES, repeat=2))
    assert ("private", "private", True) in seen and ("private", "private", False) in seen


def _answer(connection: Connection, caller: Caller, repository: Repository, action: Action) -> str:
    try:
        require(connection, caller, repository, action)
    except Refusal as refusal:
        return refusal.code
    return ""
