"""Tokens: shown once, kept as a SHA-256; what each may be used for, and until when.

A token never has more rights than its account, and none that was made by another has more than that one: no scope, no repository,
no day. A rotated token's successor has the same rights and the same end; the old one goes on for a while, for the push in its middle.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, insert, or_, select, update

from lepton_server.database.tables import accounts, token_repositories, tokens
from lepton_server.database.transactions import clock
from lepton_server.errors import Refusal
from lepton_server.identity import audit_log
from lepton_server.identity.accounts import caller_by_id, operator
from lepton_server.identity.caller import ALL_SCOPES, NO_SCOPES, Caller

MAX_LABEL = 100
MAX_REPOSITORIES = 100
_DAY_MS = 86_400_000
# Asked by every request: made once, since making a query takes longer than asking it.
_CALLER = (
    select(tokens.c.id, tokens.c.label, tokens.c.scopes, tokens.c.limited, tokens.c.last_used)
    .add_columns(tokens.c.account, accounts.c.name, accounts.c.tenant, accounts.c.admin)
    .join(accounts, accounts.c.id == tokens.c.account)
    .where(tokens.c.digest == bindparam("digest"), tokens.c.revoked.is_(None), accounts.c.disabled.is_(None))
    .where(or_(tokens.c.expires.is_(None), tokens.c.expires > bindparam("now")))
)


@dataclass(frozen=True)
class TokenRow:
    """What is known of a token: never the token itself. Times in milliseconds since 1970."""

    id: int
    account: int
    label: str
    scopes: frozenset[str]
    limited_to: frozenset[int] | None
    created: int
    expires: int | None
    last_used: int | None
    revoked: int | None


def token_digest(token: str) -> bytes:
    """What the database keeps of a token: 32 bytes from which nobody gets it back, for it has 256 random bits."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def scopes_of(names: Collection[str]) -> frozenset[str]:
    """The scopes of these names. Raises Refusal (bad_request) for a name that is no scope, and where there are none."""
    found = frozenset(names)
    if not found or found - ALL_SCOPES:
        unknown = ", ".join(repr(name[:50]) for name in sorted(found - ALL_SCOPES)[:3])
        message = f"There is no scope {unknown} for a token." if unknown else "A token needs a scope."
        raise Refusal("bad_request", message, "Name one or more of read, write, evidence and admin.")
    return found


def create_token(
    connection: Connection,
    account: int,
    label: str = "",
    days: float | None = None,
    *,
    scopes: frozenset[str] = ALL_SCOPES,
    limited_to: Mapping[int, str] | None = None,
    by: Caller | None = None,
) -> str:
    """A new token of this account, which ends after `days`, or never, and is good for the repositories in `limited_to` (number and
    OWNER/NAME), or for all of the account's; `by` asks for it (None: the operator). Raises Refusal."""
    token = f"lpt_{secrets.token_urlsafe(32)}"
    if len(label) > MAX_LABEL or not label.isprintable():
        raise Refusal("bad_request", f"A token's label has at most {MAX_LABEL} printable characters.")
    if limited_to is not None and not 0 < len(limited_to) <= MAX_REPOSITORIES:
        raise Refusal("bad_request", f"A token is limited to 1 to {MAX_REPOSITORIES} repositories, or to none.")
    owner, now = caller_by_id(connection, account), clock(connection)
    expires = _earlier(None if days is None else now + int(days * _DAY_MS), _end_of(connection, by))
    row = {"account": account, "digest": token_digest(token), "label": label, "scopes": ",".join(sorted(scopes))}
    row |= {"created": now, "expires": expires, "limited": limited_to is not None}
    token_id = _add(connection, row, set(limited_to or ()))
    detail: dict[str, Any] = {"token": token_id, "label": label, "scopes": sorted(scopes), "expires": expires}
    detail["repositories"] = sorted(limited_to.values()) if limited_to else None
    audit_log.note(connection, by or operator(owner.tenant), "token.create", subject=owner.name, **detail)
    return token


def caller_with(connection: Connection, token: str) -> tuple[Caller, int | None] | None:
    """Who comes with this token, and how many milliseconds ago its use was noted (None: never); None where it is none, or no longer."""
    now = clock(connection)
    row = connection.execute(_CALLER, {"digest": token_digest(token), "now": now}).one_or_none()
    if row is None:
        return None
    scopes, limits = _scopes(row.scopes), _limits(connection, row.id) if row.limited else None
    label = f"{row.label} #{row.id}".lstrip()
    unnoted = None if row.last_used is None else now - row.last_used
    return Caller(row.account, row.name, row.tenant, row.admin, scopes, limits, row.id, label), unnoted


def sender(connection: Connection, account: int, token: int | None) -> Caller:
    """The account, as it may act by what it began with this token: also when that ran out, or was rotated and revoked, since. Where
    the account was disabled it may do nothing."""
    caller = caller_by_id(connection, account)
    if token is None or caller.scopes == NO_SCOPES:
        return caller
    row = by_id(connection, token)
    assert row is not None  # tokens end, and are never deleted
    return Caller(account, caller.name, caller.tenant, caller.admin, row.scopes, row.limited_to, token, f"{row.label} #{token}")


def caller_now(connection: Connection, account: int, token: int | None) -> Caller:
    """The account, as it may act by this token at this moment: with a token that was revoked or has run out it may do nothing. A rotated
    token lasts until its overlap ends."""
    caller = sender(connection, account, token)
    row = None if token is None else by_id(connection, token)
    ended = row is not None and (row.revoked is not None or (row.expires is not None and row.expires <= clock(connection)))
    return replace(caller, scopes=NO_SCOPES) if ended else caller


def note_use(connection: Connection, token: int) -> None:
    connection.execute(update(tokens).where(tokens.c.id == token).values(last_used=clock(connection)))


def by_id(connection: Connection, token: int) -> TokenRow | None:
    row = connection.execute(select(tokens).where(tokens.c.id == token)).mappings().one_or_none()
    return _row(connection, row) if row else None


def of_account(connection: Connection, account: int) -> list[TokenRow]:
    """The tokens of an account that were not revoked, also those that ran out."""
    mine = (tokens.c.account == account) & tokens.c.revoked.is_(None)
    rows = connection.execute(select(tokens).where(mine).order_by(tokens.c.id)).mappings().all()
    return [_row(connection, row) for row in rows]


def revoke(connection: Connection, by: Caller, token: TokenRow) -> None:
    """End a token: it is refused from the next request on. No error where it ended before."""
    live = (tokens.c.id == token.id) & tokens.c.revoked.is_(None)
    if connection.execute(update(tokens).where(live).values(revoked=clock(connection))).rowcount:
        owner = caller_by_id(connection, token.account)
        audit_log.note(connection, by, "token.revoke", subject=owner.name, token=token.id, label=token.label)


def rotate(connection: Connection, by: Caller, token: TokenRow, overlap_s: float) -> str:
    """A new secret with the same rights and the same end (that of the token which asks, if sooner); the old one ends after
    `overlap_s` seconds. Raises Refusal."""
    now = clock(connection)
    if token.revoked is not None or (token.expires is not None and token.expires <= now):
        raise Refusal("conflict", f"Token {token.id} has ended.", "Make a new one.")
    secret = f"lpt_{secrets.token_urlsafe(32)}"
    row = {"account": token.account, "digest": token_digest(secret), "label": token.label, "created": now}
    row |= {"scopes": ",".join(sorted(token.scopes)), "limited": token.limited_to is not None}
    row["expires"] = _earlier(token.expires, _end_of(connection, by))
    token_id = _add(connection, row, token.limited_to or ())
    end = _earlier(now + int(overlap_s * 1000), token.expires)
    connection.execute(update(tokens).where(tokens.c.id == token.id).values(expires=end))
    owner = caller_by_id(connection, token.account)
    detail: dict[str, Any] = {"token": token.id, "label": token.label, "successor": token_id, "ends": end}
    audit_log.note(connection, by, "token.rotate", subject=owner.name, **detail)
    return secret


def _add(connection: Connection, row: dict[str, object], repositories: Collection[int]) -> int:
    made = connection.execute(insert(tokens).values(row)).inserted_primary_key
    assert made is not None
    if repositories:
        limits = [{"token": made[0], "repository": repository} for repository in sorted(repositories)]
        connection.execute(insert(token_repositories), limits)
    return int(made[0])


def _row(connection: Connection, row: RowMapping) -> TokenRow:
    limits = _limits(connection, row["id"]) if row["limited"] else None
    times = (row["created"], row["expires"], row["last_used"], row["revoked"])
    return TokenRow(row["id"], row["account"], row["label"], _scopes(row["scopes"]), limits, *times)


def _scopes(text: str) -> frozenset[str]:
    return frozenset(text.split(",")) if text else ALL_SCOPES  # "" is from before there were scopes


def _limits(connection: Connection, token: int) -> frozenset[int]:
    query = select(token_repositories.c.repository).where(token_repositories.c.token == token)
    return frozenset(connection.execute(query).scalars())


def _end_of(connection: Connection, by: Caller | None) -> int | None:
    """When the token ends that `by` came with."""
    if by is None or by.token is None:
        return None
    found: int | None = connection.execute(select(tokens.c.expires).where(tokens.c.id == by.token)).scalar_one()
    return found


def _earlier(one: int | None, other: int | None) -> int | None:
    return min((time for time in (one, other) if time is not None), default=None)
