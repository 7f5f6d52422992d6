"""One real server for a module's tests; each test has a home and repositories of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.world import World
from tests.support.backends import Backends, Place, chosen
from tests.support.running_server import RunningServer

HERE = pytest.mark.parametrize("backend", chosen()[:1], indirect=True, scope="module")
"""For tests in which no server has a part: once is enough."""
EMBEDDED_AND_TEAM = pytest.mark.parametrize("backend", dict.fromkeys([chosen()[0], chosen()[-1]]), indirect=True, scope="module")
"""For tests of what versions and their care cost: on an embedded server, and on a team's with the realest storage that there is."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Whether a file goes through git's pipe or beside it is nothing to a server: one kind of server is enough for the latter."""

    def is_new(item: pytest.Item) -> bool:
        chosen_so = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
        return chosen_so.get("smudge_limit") != "large" or chosen_so.get("backend") == chosen()[0]

    left_out = [item for item in items if not is_new(item)]
    items[:] = [item for item in items if is_new(item)]
    config.hook.pytest_deselected(items=left_out)


@pytest.fixture(scope="module", params=chosen())
def backend(request: pytest.FixtureRequest) -> str:
    """What works with plain git is tested on each kind of database and storage."""
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
