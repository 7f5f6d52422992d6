"""Nothing that answers a name of content tells a hidden one from one that is nowhere: the same status, the same words, and the same
statements asked of the database, so that the time it takes tells no more than the answer.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from sqlalchemy import event

from lepton_server import backends
from lepton_server.http.app import create_app
from lepton_server.identity import accounts, tokens
from tests.server.conftest import BOTH_DATABASES
from tests.server.git.small_git_server import serving
from tests.server.weights_client import Pack, Weights, WeightsClient, make_pack, weights
from tests.support.backends import Place

pytestmark = BOTH_DATABASES


@dataclass
class Spy:
    """Who may read nothing of the vault, and what the vault holds."""

    client: WeightsClient
    hidden: Weights
    pack: Pack
    statements: list[str]
    quota: Callable[[int | None], None]

    def told(self, ask: Callable[[WeightsClient, Weights, Pack], Any], file: Weights) -> tuple[Any, list[str]]:
        """The answer about a file, as far as it is no repetition of the question, and what the database was asked meanwhile."""
        pack = make_pack(file.unique)
        self.statements.clear()
        reply = ask(self.client, file, pack)
        asked = list(self.statements)
        if isinstance(reply, httpx.Response):
            body = reply.text
            for name in (file.oid.hex, pack.name.hex, *(name.hex() for name in file.names)):
                body = body.replace(name, "NAME")
            if "json" in reply.headers.get("content-type", ""):
                body = body.replace(str(reply.json().get("error", {}).get("request")), "REQUEST")
            reply = reply.status_code, body
        return reply, asked


@pytest.fixture(scope="module")
def spy(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spy]:
    settings = place.settings(tmp_path_factory.mktemp("data"))
    app = create_app(settings)
    hidden = weights(*(random.Random(n).randbytes(2000) for n in range(3)))
    statements: list[str] = []

    def heard(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if threading.current_thread().name.startswith("AnyIO"):  # a request's, not what the server does for itself meanwhile
            statements.append(statement)

    def set_quota(limit: int | None) -> None:
        with WeightsClient(url, found["vault"], "spy/own") as admin:
            assert admin.ask("PUT", "quota", json={"bytes": limit}).status_code == 200

    with serving(app) as port:
        url, found = f"http://127.0.0.1:{port}", {}
        with backends.changes(settings) as connection:
            for name in ("vault", "spy"):
                account = accounts.ensure_account(connection, name, admin=name == "vault")
                found[name] = tokens.create_token(connection, account)
        with WeightsClient(url, found["vault"], "vault/models") as owner:
            assert owner.upload(hidden)["state"] == "done"
        with WeightsClient(url, found["spy"], "spy/own") as client:
            client.upload(weights(b"something of one's own"))
            event.listen(app.state.services.database.engine, "before_cursor_execute", heard)
            yield Spy(client, hidden, make_pack(hidden.unique), statements, set_quota)


def nowhere() -> Weights:
    return weights(*(random.Random(100 + n).randbytes(2000) for n in range(3)))


def have(client: WeightsClient, file: Weights, _: Pack) -> httpx.Response:
    return client.ask("POST", "uploads", client.open(), "have", content=b"".join(file.names))


def have_as_bases(client: WeightsClient, file: Weights, _: Pack) -> httpx.Response:
    return client.ask("POST", "uploads", client.open(), "have?bases=true", content=b"".join(file.names))


def check(client: WeightsClient, file: Weights, _: Pack) -> httpx.Response:
    return client.ask("POST", "objects", "check", content=file.oid.raw)


def manifest(client: WeightsClient, file: Weights, _: Pack) -> httpx.Response:
    return client.ask("POST", "manifests", "read", content=file.oid.raw)


def tombstone(client: WeightsClient, file: Weights, _: Pack) -> httpx.Response:
    return client.ask("POST", "tombstones", "read", content=file.oid.raw)


def plan(client: WeightsClient, file: Weights, _: Pack) -> httpx.Response:
    return client.ask("POST", "plan", content=b"".join(file.names))


def urls(client: WeightsClient, _: Weights, pack: Pack) -> httpx.Response:
    return client.urls(pack.name.hex, 8, 1000)


def share(client: WeightsClient, file: Weights, _: Pack) -> httpx.Response:
    offer = {"path": "model.bin", "oid": file.oid.hex, "size": len(file.data)}
    return client.ask("POST", "shares", json={"revision": "main", "files": [offer], "expires_in": 600})


@pytest.mark.parametrize("ask", [have, have_as_bases, check, manifest, tombstone, plan, urls, share])
def test_hidden_is_as_nowhere(spy: Spy, ask: Callable[[WeightsClient, Weights, Pack], httpx.Response]) -> None:
    spy.told(ask, weights(b"the first time is another"))
    hidden, absent = spy.told(ask, spy.hidden), spy.told(ask, nowhere())
    assert hidden == absent
    assert absent[1]  # it did ask


def offered(client: WeightsClient, _: Weights, pack: Pack) -> tuple[bool, bool]:
    """Whether a pack that lies elsewhere need not be sent."""
    ticket = client.ticket(client.open(), pack)
    return bool(ticket["url"]), ticket["confirm"]


def committed(client: WeightsClient, file: Weights, _: Pack) -> tuple[str, str]:
    """What a commit says to a manifest whose chunks nobody sent."""
    session = client.open()
    client.announce(session, file.manifest())
    client.commit(session)
    state = client.ended(session)
    return state["state"], state["failures"][0]["code"]


@pytest.mark.parametrize("ask", [offered, committed])
def test_hidden_is_as_nowhere_in_an_upload(spy: Spy, ask: Callable[[WeightsClient, Weights, Pack], Any]) -> None:
    assert spy.told(ask, spy.hidden)[0] == spy.told(ask, nowhere())[0]


@pytest.mark.parametrize("allowed", [False, True])
def test_a_hidden_repository_is_as_absent_as_none_as_a_source_of_bases(spy: Spy, allowed: bool) -> None:
    """However it is named, and also for who allows that its weights be published."""

    def named(name: str) -> tuple[int, str]:
        bases = {"bases": [{"repository": name, "allowed": allowed}]}
        reply = spy.client.ask("POST", "uploads", spy.client.open(), "bases", json=bases)
        return reply.status_code, reply.text

    told = {named(name) for name in ("vault/models", "vault/nothing", "nobody/nothing", "", "/", "spy/own", "a" * 300)}
    assert told == {(200, '{"repositories":[]}')}


def test_a_quota_tells_nothing_of_what_others_hold(spy: Spy) -> None:
    """What one holds counts as if nobody else had it."""

    def uploaded(client: WeightsClient, file: Weights, _: Pack) -> tuple[str, list[str]]:
        state = client.upload(file)
        return state["state"], [failure["code"] for failure in state["failures"]]

    spy.quota(3_000)
    hidden, absent = spy.told(uploaded, spy.hidden)[0], spy.told(uploaded, nowhere())[0]
    assert hidden == absent
    assert hidden[0] == "failed"
