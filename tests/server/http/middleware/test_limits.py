"""How often, how much at once, and what nobody may send: with the words for each."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from starlette.types import Message

from git_lepton.wire.protocol import API
from lepton_server.errors import Refusal
from lepton_server.http.middleware import exchange
from lepton_server.http.middleware.concurrency_limit import Turns
from lepton_server.http.middleware.rate_limit import Buckets, Rates, token_key
from lepton_server.http.middleware.security_headers import SecurityHeaders
from tests.server.conftest import BOTH_DATABASES
from tests.server.weights_client import WeightsClient, make_pack, weights
from tests.support.backends import Place
from tests.support.running_server import RunningServer

PER_MINUTE, WRONG_PER_MINUTE = 20, 5


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, place: Place) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("server"), place=place) as running:
        yield running


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_empties_and_fills_up_again() -> None:
    clock = Clock()
    buckets = Buckets(60, clock)
    assert [buckets.take("a") for _ in range(60)] == [0.0] * 60
    assert buckets.take("a") == pytest.approx(1.0)  # seconds until there is one
    assert buckets.take("b") == 0.0
    clock.now += 1.5
    assert buckets.take("a") == 0.0
    assert buckets.take("a") == pytest.approx(0.5)
    clock.now += 1_000_000
    assert [buckets.take("a") for _ in range(61)].count(0.0) == 60  # no more than a minute's were saved


def test_no_limit_is_no_limit() -> None:
    buckets = Buckets(0)
    assert [buckets.take("a") for _ in range(1000)] == [0.0] * 1000


def test_memory_of_who_asked_is_bounded() -> None:
    buckets = Buckets(60)
    for number in range(60_000):
        buckets.take(str(number))
    assert len(buckets._levels) == 50_000


def test_who_guesses_is_held_up_and_who_was_right_before_is_not() -> None:
    rates = Rates(1000, 3)
    assert rates.admit("1.1.1.1", token_key(b"Bearer right")) == 0.0
    rates.heard("1.1.1.1", token_key(b"Bearer right"), known=True, refused=False)
    for guess in (b"a", b"b", b"c"):
        assert rates.admit("1.1.1.1", token_key(guess)) == 0.0
        rates.heard("1.1.1.1", token_key(guess), known=False, refused=True)
    assert rates.admit("1.1.1.1", token_key(b"d")) > 10
    assert rates.admit("1.1.1.1", token_key(b"Bearer right")) == 0.0
    assert rates.admit("1.1.1.1", token_key(b"")) == 0.0
    assert rates.admit("2.2.2.2", token_key(b"d")) == 0.0
    rates.heard("1.1.1.1", token_key(b"Bearer right"), known=False, refused=True)  # revoked
    assert rates.admit("1.1.1.1", token_key(b"Bearer right")) > 10


def test_made_up_tokens_have_no_bucket_of_their_own() -> None:
    rates = Rates(10, 0)
    assert [rates.admit("1.1.1.1", token_key(str(n).encode())) > 0 for n in range(12)] == [False] * 10 + [True] * 2


def test_a_token_has_one_bucket_however_its_header_is_written() -> None:
    rates = Rates(3, 0)
    headers = [b"Bearer right", *(b"Basic " + base64.b64encode(f"u{number}:right".encode()) for number in range(5))]
    for header in headers:
        rates.heard("1.1.1.1", token_key(header), known=True, refused=False)
    assert [rates.admit("1.1.1.1", token_key(header)) > 0 for header in headers] == [False] * 3 + [True] * 3


def test_large_bodies_wait_for_their_turn() -> None:
    async def story() -> None:
        turns = Turns(together=3, of_one=2)
        async with turns.turn("a", 0.2), turns.turn("a", 0.2):
            with pytest.raises(Refusal) as refused:
                async with turns.turn("a", 0.2):
                    pass
            assert refused.value.code == "too_many_requests"
            async with turns.turn("b", 0.2):
                with pytest.raises(Refusal):
                    async with turns.turn("c", 0.2):
                        pass
            waiting = asyncio.create_task(enter(turns, "c"))
            await waiting
        async with turns.turn("a", 0.2), turns.turn("a", 0.2), turns.turn("b", 0.2):
            pass

    async def enter(turns: Turns, address: str) -> None:
        async with turns.turn(address, 0.2):
            pass

    asyncio.run(story())


def test_who_stops_in_a_body_is_taken_for_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "_STALL_SECONDS", 0.05)
    messages = [{"type": "http.request", "body": b"half", "more_body": True}]

    async def receive() -> Message:
        if messages:
            return messages.pop()
        await asyncio.sleep(30)
        raise AssertionError("waited for too long")

    async def send(_: Message) -> None:
        """Nobody listens."""

    async def story() -> None:
        scope = {"type": "http", "method": "PUT", "path": f"{API}/transfers/x", "headers": []}
        stalled = exchange.Exchange(scope, receive, send, "1.1.1.1", "name", SecurityHeaders(encrypted=False))
        assert (await stalled.receive())["body"] == b"half"
        assert (await stalled.receive())["type"] == "http.disconnect"
        stalled.end()

    asyncio.run(story())


def until_too_many(ask: Callable[[], httpx.Response]) -> list[httpx.Response]:
    """All answers, to the first that says no: on a slow machine buckets fill up again meanwhile."""
    answers = [ask()]
    while answers[-1].status_code != 429 and len(answers) < 500:
        answers.append(ask())
    return answers


def test_too_often_is_said_with_the_time_to_wait(tmp_path: Path) -> None:
    options = ["--requests-per-minute", str(PER_MINUTE), "--failed-logins-per-minute", str(WRONG_PER_MINUTE)]
    with RunningServer(tmp_path, options) as server, WeightsClient(server.url, server.admin_token, "admin/m") as client:
        session = client.open()
        pack = make_pack(weights(b"some weights").chunks)
        ticket = client.ticket(session, pack)
        wrong = {"Authorization": "Bearer lpt_wrong"}
        guesses = until_too_many(lambda: httpx.get(f"{server.url}{API}/account", headers=wrong))
        assert len(guesses) > WRONG_PER_MINUTE
        assert {answer.status_code for answer in guesses[:-1]} == {401}
        answers = until_too_many(lambda: client.ask("GET", "uploads", session))
        assert answers[0].status_code == 200  # a stranger's guesses lock nobody out
        last = answers[-1]
        assert (last.status_code, last.json()["error"]["code"]) == (429, "too_many_requests")
        assert 1 <= int(last.headers["Retry-After"]) <= 60
        assert client.put(ticket, pack.data).status_code == 201  # what was promised goes through
        assert httpx.get(f"{server.url}/healthz").status_code == 200
        assert httpx.get(f"{server.url}/readyz").status_code == 200


@BOTH_DATABASES
def test_every_answer_tells_browsers_to_do_nothing_with_it(server: RunningServer) -> None:
    for path in ("/healthz", "/nowhere", f"{API}/account", "/admin/none.git/info/refs", "/openapi.json"):
        headers = httpx.get(f"{server.url}{path}").headers
        assert headers["X-Content-Type-Options"] == "nosniff", path
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert "no-" in headers["Cache-Control"]
        assert "Strict-Transport-Security" not in headers  # this is plain http
        assert "server" not in headers


@BOTH_DATABASES
def test_methods_that_an_address_does_not_have(server: RunningServer) -> None:
    for method in ("OPTIONS", "PATCH", "DELETE", "TRACE"):
        answer = httpx.request(method, f"{server.url}{API}/capabilities")
        assert answer.status_code == 405, method
        assert answer.headers["Allow"] == "GET"
        assert answer.json()["error"]["code"] == "bad_request"


@BOTH_DATABASES
@pytest.mark.parametrize("path", ["a%00b/c", "a/b%00", "%ff%fe/x", "\N{SNOWMAN}/x", "a" * 5000 + "/b", "a/" + "b" * 300])
def test_names_that_no_database_keeps_are_nobodys(connect: Callable[..., WeightsClient], path: str) -> None:
    client = connect()
    answer = client.http.get(f"{API}/repositories/{path}")
    assert answer.status_code in (400, 404), answer.text
