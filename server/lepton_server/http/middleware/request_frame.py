"""Around every request: it gets a name, limits and the protocol's version are checked, and what nobody foresaw becomes a 500.

Pure ASGI, so that bodies stream through untouched.
"""

from __future__ import annotations

import contextlib
import logging
import math

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from git_lepton.wire.protocol import API, CAPABILITIES, PROTOCOL_HEADER, PROTOCOL_VERSION
from lepton_server.errors import Refusal
from lepton_server.http.error_responses import error_response
from lepton_server.http.middleware.client_address import TrustedProxies
from lepton_server.http.middleware.concurrency_limit import Turns
from lepton_server.http.middleware.exchange import Exchange
from lepton_server.http.middleware.rate_limit import Rates, token_key
from lepton_server.http.middleware.security_headers import SecurityHeaders
from lepton_server.observability import metrics
from lepton_server.observability.logs import told
from lepton_server.observability.request_context import Origin, origin
from lepton_server.settings import ServerSettings

_log = logging.getLogger("lepton_server")
_TRANSFERS = f"{API}/transfers/"
_WATCHED = ("/healthz", "/readyz", "/metrics")


class RequestFrame:
    """The outermost part of the application."""

    def __init__(self, app: ASGIApp, settings: ServerSettings) -> None:
        self._app = app
        self._proxies = TrustedProxies(settings.trusted_proxies)
        self._rates = Rates(settings.requests_per_minute, settings.failed_logins_per_minute)
        self._turns = Turns(settings.bodies_at_once, settings.bodies_of_one_address)
        self._headers = SecurityHeaders(encrypted=settings.is_encrypted)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        address, name = self._proxies.introduce(scope)
        scope["lepton_request"] = name
        exchange = Exchange(scope, receive, send, address, name, self._headers)
        here = origin.set(Origin(address, name))
        try:
            await self._guarded(exchange)
        finally:
            exchange.end()
            origin.reset(here)

    async def _guarded(self, exchange: Exchange) -> None:
        scope = exchange.scope
        try:
            await self._answer(exchange)
        except ClientDisconnect:  # nobody is there to read an answer
            return
        except Exception:
            path = told(scope.get("raw_path") or b"")
            _log.exception("request %s: %s %s failed", exchange.name, scope["method"], path)
            if exchange.status:
                raise
            bug = Refusal(
                "internal_error", f"The server failed at request {exchange.name}.", "Try again; tell whoever runs the server."
            )
            await error_response(bug, exchange.name)(scope, exchange.receive, exchange.send)

    async def _answer(self, exchange: Exchange) -> None:
        scope = exchange.scope
        authorization = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        if (refusal := _refusal_of_head(scope)) is not None:
            await error_response(refusal, exchange.name)(scope, exchange.receive, exchange.send)
        elif wait := self._too_often(exchange, token := token_key(authorization)):
            refusal = Refusal("too_many_requests", "You ask too often.", f"Try again in {math.ceil(wait)} seconds.")
            await error_response(refusal, exchange.name, math.ceil(wait))(scope, exchange.receive, exchange.send)
        else:
            await self._in_turn(exchange)
            refused = exchange.status == 401
            metrics.failed_logins.inc(int(refused and bool(token)))
            self._rates.heard(exchange.address, token, known=bool(exchange.account), refused=refused)

    def _too_often(self, exchange: Exchange, token: str) -> float:
        """Seconds to wait. What a ticket was given for goes through: its right was checked, and it is one of a bounded number."""
        if exchange.scope["path"].startswith(_TRANSFERS) or exchange.scope["path"] in _WATCHED:
            return 0.0
        wait = self._rates.admit(exchange.address, token)
        if wait:
            metrics.turned_away.labels("rate").inc()
        return wait

    async def _in_turn(self, exchange: Exchange) -> None:
        async with contextlib.AsyncExitStack() as turn:
            if patience := _patience(exchange.scope):
                try:
                    await turn.enter_async_context(self._turns.turn(exchange.address, patience))
                except Refusal as refusal:
                    metrics.turned_away.labels("bodies").inc()
                    await error_response(refusal, exchange.name)(exchange.scope, exchange.receive, exchange.send)
                    return
            await self._app(exchange.scope, exchange.receive, exchange.send)


def _patience(scope: Scope) -> float:
    """Seconds that a request with a large body waits for its turn: git itself does not come again. 0 for all others."""
    if scope["method"] == "PUT" and scope["path"].startswith(_TRANSFERS):
        return 20.0
    return 300.0 if scope["method"] == "POST" and ".git/" in scope["path"] else 0.0


def _refusal_of_head(scope: Scope) -> Refusal | None:
    """Why this request goes no further, by its path and its protocol version."""
    if "\0" in scope["path"] or b"%00" in scope["query_string"]:
        return Refusal("bad_request", "No address has a zero byte in it.")
    if not scope["path"].startswith(API) or scope["path"] == CAPABILITIES:
        return None
    asked = next((value for name, value in scope["headers"] if name == PROTOCOL_HEADER.lower().encode()), None)
    if asked is None or asked == str(PROTOCOL_VERSION).encode():
        return None
    return Refusal(
        "upgrade_required",
        f"This server speaks protocol version {PROTOCOL_VERSION}, and you asked for {asked.decode('latin-1')[:20]}.",
        "Install a git-lepton that fits this server: pip install --upgrade 'git-lepton>=0.1'",
    )
