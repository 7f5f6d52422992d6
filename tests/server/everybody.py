"""One repository, `acme/models`, and everybody who may ask something of it: each role, each kind of token, and another tenant."""

from __future__ import annotations

from dataclasses import dataclass

import httpx
from sqlalchemy import Connection

from lepton_server import backends
from lepton_server.identity import accounts, organisations, tenants, tokens
from lepton_server.identity.accounts import AccountRow, operator
from lepton_server.identity.caller import ALL_SCOPES, Caller
from lepton_server.repositories import grants, registry
from lepton_server.repositories.registry import Repository
from lepton_server.settings import ServerSettings
from tests.support.running_server import RunningServer

OWN = "acme/models"
ABSENT = "acme/nothing"


@dataclass(frozen=True)
class Everybody:
    """A token for each name; of nobody it is empty."""

    tokens: dict[str, str]

    def client(self, server: RunningServer, name: str) -> httpx.Client:
        return bearer(server, self.tokens[name])


def bearer(server: RunningServer, token: str) -> httpx.Client:
    """Who asks the server with this token."""
    return bearer_at(server.url, token)


def bearer_at(url: str, token: str) -> httpx.Client:
    """The same of a server of which only the address is known. Nothing stays open between two questions, so nobody has to close it."""
    headers = {"Lepton-Protocol": "1", **({"Authorization": f"Bearer {token}"} if token else {})}
    brief = httpx.Limits(max_keepalive_connections=0)
    return httpx.Client(base_url=url, headers=headers, timeout=60, limits=brief, verify=False)  # there is no TLS here


INSIDERS = ("reader", "writer", "maintainer", "granted", "teamed", "owner", "admin")
CAPPED = ("reading", "writing", "vouching", "limited")  # the owner's, for one scope each, and for this repository only
OUTSIDERS = ("outsider", "member", "elsewhere", "foreign", "foreign_owner", "foreign_admin")
STRANGERS = ("nobody", "wrong", "revoked", "disabled")
ALL = INSIDERS + CAPPED + OUTSIDERS + STRANGERS


def settle(settings: ServerSettings, admin_token: str) -> Everybody:
    """Make the repository, and all of them."""
    with backends.changes(settings) as connection:
        by = operator()
        acme = _account(connection, "acme", kind="organisation")
        models = registry.create(connection, by, "acme", "models")
        other = registry.create(connection, by, "acme", "other")
        found = {"nobody": "", "wrong": "lpt_" + 43 * "x", "admin": admin_token}

        def token(account: AccountRow, scopes: frozenset[str] = ALL_SCOPES, limits: list[Repository] | None = None) -> str:
            return tokens.create_token(
                connection,
                account.id,
                scopes=scopes,
                limited_to=None if limits is None else {one.id: one.full_name for one in limits},
            )

        for name in ("reader", "writer", "maintainer", "granted", "teamed", "owner", "outsider", "member", "revoked", "disabled"):
            found[name] = token(_account(connection, name))
        for name, role in (("reader", "reader"), ("writer", "writer"), ("maintainer", "maintainer"), ("granted", "owner")):
            grants.grant(connection, by, models, accounts.known(connection, name), role)
        owner, member, teamed = (accounts.known(connection, name) for name in ("owner", "member", "teamed"))
        for account, role in ((owner, "owner"), (member, "member"), (teamed, "member")):
            organisations.set_member(connection, by, acme, account, role)
        team = organisations.ensure_team(connection, by, acme, "red")
        organisations.add_to_team(connection, by, acme, team, teamed)
        grants.grant_team(connection, by, models, team.id, team.full_name, "writer")
        for name in ("revoked", "disabled"):
            grants.grant(connection, by, models, accounts.known(connection, name), "owner")
        for row in tokens.of_account(connection, accounts.known_account(connection, "revoked")):
            tokens.revoke(connection, by, row)
        accounts.set_disabled(connection, by, accounts.known(connection, "disabled"), True)
        for name, scope in (("reading", "read"), ("writing", "write"), ("vouching", "evidence")):
            found[name] = token(owner, frozenset({scope}))
        found["limited"] = token(owner, limits=[models])
        found["elsewhere"] = token(owner, limits=[other])
        _account(connection, "guest")
        beyond = tenants.add(connection, "beyond")
        found["foreign"] = token(_account(connection, "foreign", beyond))
        found["foreign_admin"] = token(_account(connection, "foreign-admin", beyond, admin=True))
        lord = _account(connection, "foreign-owner", beyond)
        found["foreign_owner"] = token(lord)
        umbrella = _account(connection, "umbrella", beyond, kind="organisation")
        organisations.set_member(connection, operator(beyond), umbrella, lord, "owner")
        registry.create(connection, operator(beyond), "umbrella", "models")
    return Everybody(found)


def caller(settings: ServerSettings, everybody: Everybody, name: str) -> Caller:
    """Whom the server takes the bearer of this token for."""
    with backends.changes(settings) as connection:
        found = tokens.caller_with(connection, everybody.tokens[name])
    assert found is not None
    return found[0]


def _account(connection: Connection, name: str, tenant: int = 1, *, admin: bool = False, kind: str = "user") -> AccountRow:
    accounts.ensure_account(connection, name, tenant=tenant, admin=admin, kind=kind)
    return accounts.known(connection, name)
