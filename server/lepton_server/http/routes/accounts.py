"""Accounts: the caller's own, and those of the tenant for its admins (docs/wire-protocol.md, section 11)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Query, Response

from git_lepton.wire.messages import Account
from git_lepton.wire.people import AccountChange, AccountInfo, AccountList, NewAccount
from git_lepton.wire.protocol import ACCOUNT, API
from lepton_server.errors import Refusal, not_found
from lepton_server.http.dependencies import MessageRoute, RequiredCaller
from lepton_server.http.state import ServicesDep
from lepton_server.identity import accounts, tokens
from lepton_server.identity.accounts import KINDS, AccountRow
from lepton_server.identity.caller import Caller
from lepton_server.repositories import account_renaming, deletion, registry
from lepton_server.repositories.permissions import require_account, require_admin

router = APIRouter(tags=["accounts"], route_class=MessageRoute)
_PAGE = 100


@router.get(ACCOUNT)
def account(caller: RequiredCaller, services: ServicesDep) -> Account:
    """The caller, and what the token may do."""
    with services.database.read() as connection:
        token = tokens.by_id(connection, caller.token) if caller.token else None
        limits = None if caller.limited_to is None else registry.named(connection, caller.limited_to)
    return Account(caller.name, caller.admin, sorted(caller.scopes), token.expires if token else None, limits)


@router.get(f"{API}/accounts")
def listed(caller: RequiredCaller, services: ServicesDep, after: Annotated[str, Query(max_length=100)] = "") -> AccountList:
    require_admin(caller)
    with services.database.read() as connection:
        found = accounts.listed(connection, caller.tenant, after, _PAGE + 1)
    page = found[:_PAGE]
    return AccountList([_info(row) for row in page], page[-1].name if len(found) > _PAGE else None)


@router.get(f"{API}/accounts/{{account}}")
def information(account: str, caller: RequiredCaller, services: ServicesDep) -> AccountInfo:
    """Any account of the tenant for its admins, one's own for everybody."""
    require_account(caller, "read")
    with services.database.read() as connection:
        found = accounts.account_in(connection, caller.tenant, account)
    if found is None or not (caller.admin or found.id == caller.account):
        raise not_found()
    return _info(found)


@router.put(f"{API}/accounts/{{account}}")
def create(
    account: str, caller: RequiredCaller, services: ServicesDep, asked: Annotated[NewAccount | None, Body()] = None
) -> AccountInfo:
    """Make an account in the caller's tenant. Names are those of the whole server: another tenant's is taken too."""
    require_admin(caller)
    wanted = asked or NewAccount()
    if wanted.kind not in KINDS or (wanted.admin and wanted.kind == "organisation"):
        raise Refusal("bad_request", f"There is no kind {wanted.kind[:50]!r} of account for this.", f"Kinds: {', '.join(KINDS)}.")
    with services.database.write() as connection:
        made = accounts.ensure_account(connection, account, kind=wanted.kind, admin=wanted.admin, tenant=caller.tenant, by=caller)
        found = accounts.account_in(connection, caller.tenant, account)
    if found is None or found.id != made or found.kind != wanted.kind:
        raise Refusal("conflict", f"The name {account} is taken.", "Choose another name.")
    return _info(found)


@router.patch(f"{API}/accounts/{{account}}")
def change(account: str, asked: AccountChange, caller: RequiredCaller, services: ServicesDep) -> AccountInfo:
    """Disable an account, or take it again; make it an admin, or no longer; rename it."""
    require_admin(caller)
    with services.database.write() as connection:
        found = _known(accounts.account_in(connection, caller.tenant, account))
        if asked.disabled is not None:
            _not_oneself(caller, found)
            accounts.set_disabled(connection, caller, found, asked.disabled)
        if asked.admin is not None:
            _not_oneself(caller, found)
            accounts.set_admin(connection, caller, found, asked.admin)
        if asked.name is not None:
            account_renaming.rename(connection, caller, found, asked.name)
        return _info(_known(accounts.account_in(connection, caller.tenant, asked.name or account)))


@router.delete(f"{API}/accounts/{{account}}", status_code=204, response_class=Response)
def delete(
    account: str, caller: RequiredCaller, services: ServicesDep, confirm: Annotated[str, Query(max_length=100)] = ""
) -> None:
    """Make an account, and its repositories, as absent: any of the tenant for its admins, one's own for everybody else."""
    require_account(caller)
    with services.database.write() as connection:
        found = accounts.account_in(connection, caller.tenant, account)
        if found is None or not (caller.admin or found.id == caller.account):
            raise not_found()
        if caller.admin and found.id == caller.account:
            raise _shut_out()
        if confirm.lower() != found.name.lower():
            message = f"This deletes the account {found.name}, with its repositories."
            raise Refusal("bad_request", message, f"Say so: ?confirm={found.name}")
        deletion.delete_account(connection, caller, found)


@router.post(f"{API}/accounts/{{account}}/undelete")
def undelete(account: str, caller: RequiredCaller, services: ServicesDep) -> AccountInfo:
    """Bring a deleted account back, with its repositories."""
    require_admin(caller)
    with services.database.write() as connection:
        found = _known(accounts.find_deleted(connection, account, caller.tenant))
        deletion.undelete_account(connection, caller, found)
        return _info(_known(accounts.account_in(connection, caller.tenant, account)))


def _known(found: AccountRow | None) -> AccountRow:
    if found is None:
        raise not_found()
    return found


def _not_oneself(caller: Caller, found: AccountRow) -> None:
    if found.id == caller.account:
        raise _shut_out()
    if found.kind == "organisation":
        raise Refusal("bad_request", f"{found.name} is an organisation, which has no tokens and no rights of its own.")


def _shut_out() -> Refusal:
    return Refusal("conflict", "Nobody shuts himself out.", "Ask another admin, or use the command line of the server.")


def _info(row: AccountRow) -> AccountInfo:
    return AccountInfo(row.name, row.kind, row.admin, row.created, row.disabled)
