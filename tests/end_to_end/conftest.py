"""One real server for a module's tests; each test has a home and repositories of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.world import World
from tests.support.backends import Backends, Place, chosen
from tests.support.running_server import RunningServer


@pytest.fixture(scope="module", params=chosen())
def backend(request: pytest.FixtureRequest) -> str:
    """Every test runs on each kind of database and storage."""
    return str(request.param)


@pytest.fixture(scope="module")
def server_place(backend: str, backends: Backends) -> Place:
    """Where the module's server keeps its data."""
    return backends.place(backend)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, server_place: Place) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("server"), place=server_place) as running:
        yield running


@pytest.fixture
def world(tmp_path: Path, clean_environment: Path, server: RunningServer) -> World:
    folder = tmp_path / "place"
    folder.mkdir()
    return World(folder, clean_environment, server)


@pytest.fixture
def url(world: World, request: pytest.FixtureRequest) -> str:
    """The lepton:: URL of a repository of this test's own."""
    name = "".join(letter if letter.isalnum() else "-" for letter in request.node.name).strip("-")
    return world.url(f"admin/{name[:90]}")
