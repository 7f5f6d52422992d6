"""A real server for all tests of a module; each test has repositories of its own."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Connection

from lepton_server.backends import open_database
from lepton_server.database.transactions import Database
from lepton_server.settings import ServerSettings
from tests.server.everybody import Everybody, settle
from tests.server.weights_client import WeightsClient
from tests.support.backends import DATABASES, Backends, Place
from tests.support.running_server import RunningServer

Connect = Callable[..., WeightsClient]
"""The fixture `connect`: makes clients of the module's server."""
Noise = Callable[[int], bytes]
"""The fixture `noise`: so many bytes that no other test has."""
BOTH_DATABASES = pytest.mark.parametrize("place", DATABASES, indirect=True, scope="module")
"""For a module (`pytestmark = BOTH_DATABASES`) or a test whose server is to be tested on both."""


@pytest.fixture(scope="module")
def place(request: pytest.FixtureRequest, backends: Backends) -> Place:
    """Where the module's server keeps its data."""
    return backends.place(getattr(request, "param", "sqlite-disk"))


PATIENT = ("--requests-per-minute", "0", "--failed-logins-per-minute", "0")


@pytest.fixture(scope="module")
def server_options() -> Sequence[str]:
    """A module that wants its server otherwise has a fixture of this name."""
    return ()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, place: Place, server_options: Sequence[str]) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("server"), server_options, place=place) as running:
        yield running


@pytest.fixture(scope="module")
def everybody(server: RunningServer) -> Everybody:
    return settle(server.settings, server.admin_token)


@pytest.fixture(scope="module")
def http(server: RunningServer) -> Iterator[httpx.Client]:
    """What all people of a module speak through."""
    with httpx.Client(base_url=server.url, verify=False, timeout=60) as client:  # no TLS here; making its context takes long
        yield client


@pytest.fixture(params=DATABASES)
def settings(request: pytest.FixtureRequest, backends: Backends, tmp_path: Path) -> ServerSettings:
    """Those of a server that does not run, over each database: a test that asks for them runs on both."""
    return backends.place(request.param).settings(tmp_path)


@pytest.fixture
def connect(server: RunningServer, request: pytest.FixtureRequest) -> Iterator[Connect]:
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
def noise(request: pytest.FixtureRequest) -> Noise:
    """Bytes that no other test has, the same in every run."""
    source = random.Random(request.node.nodeid)
    return source.randbytes


@pytest.fixture
def database(settings: ServerSettings) -> Iterator[Database]:
    """That of a server which does not run."""
    opened = open_database(settings)
    yield opened
    opened.close()


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    with database.write() as opened:
        yield opened
