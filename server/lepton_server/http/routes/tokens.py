"""Tokens: made, listed, ended, replaced (docs/wire-protocol.md, section 11). Callers give away no more rights than they have."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Path, Response
from sqlalchemy import Connection

from git_lepton.wire.people import MadeToken, NewToken, Rotation, TokenInfo, TokenList
from git_lepton.wire.protocol import API
from lepton_server.errors import Refusal, not_found
from lepton_server.http.dependencies import MessageRoute, RequiredCaller
from lepton_server.http.state import ServicesDep
from lepton_server.identity import accounts, tokens
from lepton_server.identity.caller import Caller
from lepton_server.identity.tokens import TokenRow
from lepton_server.repositories import permissions, registry
from lepton_server.repositories.permissions import Action, lacks_scope, require_account, require_admin

router = APIRouter(prefix=f"{API}/tokens", tags=["tokens"], route_class=MessageRoute)
TokenNumber = Annotated[int, Path(ge=1, lt=1 << 53)]
_LONGEST_DAYS = 36_500
_LONGEST_OVERLAP = 7 * 86_400


@router.get("")
def listed(caller: RequiredCaller, services: ServicesDep) -> TokenList:
    """The caller's own, without their secrets."""
    require_account(caller)
    with services.database.read() as connection:
        return TokenList([_info(connection, row) for row in tokens.of_account(connection, caller.account)])


@router.post("", status_code=201)
def create(asked: NewToken, caller: RequiredCaller, services: ServicesDep) -> MadeToken:
    """A token of the caller's account, or, for admins, of a robot of the tenant; it ends no later than the one that asks."""
    require_account(caller)
    scopes = tokens.scopes_of(asked.scopes)
    if lacking := scopes - caller.scopes:
        raise lacks_scope(min(lacking))
    if asked.days is not None and not 0 < asked.days <= _LONGEST_DAYS:
        raise Refusal("bad_request", f"A token lasts more than 0 and at most {_LONGEST_DAYS} days.")
    with services.database.write() as connection:
        account = _robot(connection, caller, asked.account) if asked.account else caller.account
        limits = None if asked.repositories is None else _named(connection, caller, asked.repositories)
        secret = tokens.create_token(connection, account, asked.label, asked.days, scopes=scopes, limited_to=limits, by=caller)
        return _made(connection, secret)


@router.delete("/{token}", status_code=204, response_class=Response)
def revoke(token: TokenNumber, caller: RequiredCaller, services: ServicesDep) -> None:
    """End a token of one's own, the one that asks too, or, for admins, of anybody in the tenant."""
    with services.database.write() as connection:
        tokens.revoke(connection, caller, _own(connection, caller, token))


@router.post("/{token}/rotate")
def rotate(
    token: TokenNumber, caller: RequiredCaller, services: ServicesDep, asked: Annotated[Rotation | None, Body()] = None
) -> MadeToken:
    """A new secret with the same rights and end. A token may do this for itself; another one only if it may do as much."""
    overlap = (asked or Rotation()).overlap_seconds
    if not 0 <= overlap <= _LONGEST_OVERLAP:
        raise Refusal("bad_request", f"The old token lasts for 0 to {_LONGEST_OVERLAP} seconds beside the new one.")
    with services.database.write() as connection:
        found = _own(connection, caller, token)
        if lacking := found.scopes - caller.scopes:
            raise lacks_scope(min(lacking))
        owner = accounts.caller_by_id(connection, found.account)
        if found.account != caller.account and not _is_robot(connection, owner.tenant, owner.name):
            raise Refusal(
                "forbidden", "Only a robot's token is renewed by somebody else.", "Revoke it; its owner makes a new one."
            )
        return _made(connection, tokens.rotate(connection, caller, found, overlap))


def _own(connection: Connection, caller: Caller, number: int) -> TokenRow:
    """The token, if the caller may end it. Raises Refusal."""
    if number != caller.token:
        require_account(caller)
    found = tokens.by_id(connection, number)
    if found is None or found.revoked is not None:
        raise not_found()
    owner = accounts.caller_by_id(connection, found.account)
    if found.account != caller.account and not (caller.admin and owner.tenant == caller.tenant):
        raise not_found()
    return found


def _robot(connection: Connection, caller: Caller, name: str) -> int:
    """A robot has nobody else who could ask; people make their tokens themselves. Raises Refusal."""
    require_admin(caller)
    found = accounts.account_in(connection, caller.tenant, name)
    if found is None:  # an admin may know all accounts of the tenant
        hint = "Whoever runs the server makes it: lepton-server user add NAME --robot"
        raise Refusal("bad_request", f"There is no robot {name[:100]!r}.", hint)
    if found.kind != "robot":
        raise Refusal("bad_request", f"{found.name} is a {found.kind}; tokens are made for robots and for oneself.")
    return found.id


def _is_robot(connection: Connection, tenant: int, name: str) -> bool:
    found = accounts.account_in(connection, tenant, name)
    return found is not None and found.kind == "robot"


def _named(connection: Connection, caller: Caller, names: list[str]) -> dict[int, str]:
    """The repositories of these names, all of which the caller may read: number and full name. Raises Refusal."""
    found = {}
    for name in names[: tokens.MAX_REPOSITORIES + 1]:
        owner, _, rest = name.partition("/")
        repository = permissions.located(connection, caller, owner, rest)
        permissions.require(connection, caller, repository, Action.READ)
        assert repository is not None  # or `require` would have refused
        found[repository.id] = repository.full_name
    return found


def _made(connection: Connection, secret: str) -> MadeToken:
    found = tokens.caller_with(connection, secret)
    row = tokens.by_id(connection, found[0].token) if found and found[0].token else None
    if row is None:
        raise not_found()
    return MadeToken(secret, _info(connection, row))


def _info(connection: Connection, row: TokenRow) -> TokenInfo:
    limits = None if row.limited_to is None else registry.named(connection, row.limited_to)
    return TokenInfo(row.id, row.label, sorted(row.scopes), limits, row.created, row.expires, row.last_used)
