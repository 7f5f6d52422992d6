"""A real server for all tests of a module; each test has repositories of its own."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest

from tests.server.weights_client import WeightsClient
from tests.support.running_server import RunningServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def connect(server: RunningServer, request: pytest.FixtureRequest) -> Iterator[Callable[..., WeightsClient]]:
    """Makes clients: `connect()` is the admin at a repository of this test's own."""
    opened: list[WeightsClient] = []

    def make(name: str = "", token: str | None = None) -> WeightsClient:
        own = "".join(letter if letter.isalnum() else "-" for letter in request.node.name).strip("-")
        client = WeightsClient(server.url, server.admin_token if token is None else token, name or f"admin/{own[:90]}")
        opened.append(client)
        return client

    yield make
    for client in opened:
        client.http.close()


@pytest.fixture
def noise(request: pytest.FixtureRequest) -> Callable[[int], bytes]:
    """Bytes that no other test has, the same in every run."""
    source = random.Random(request.node.nodeid)
    return source.randbytes
