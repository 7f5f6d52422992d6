"""Every test runs with an empty HOME, no git configuration of the person who runs it, and no token of theirs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.support import forked_servers, s3_servers, tiers

if TYPE_CHECKING:
    from tests.support.backends import Backends

# Most of what tests do is to start programs, and each start would compile its modules again.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

settings.register_profile("default", deadline=None, derandomize=True, max_examples=60)
settings.register_profile("deep", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("GIT_LEPTON_HYPOTHESIS_PROFILE", "default"))


def pytest_configure(config: pytest.Config) -> None:
    """`pytest` alone runs the first tier. Ceph, where there is one to start, is shared by all test processes: several that start at once
    are in each other's way."""
    forked_servers.WANTED = forked_servers.POSSIBLE
    is_one_of_many = hasattr(config, "workerinput")
    if tiers.wants_first(config):
        config.option.markexpr = tiers.FIRST
    wants_ceph = s3_servers.CEPH and config.option.markexpr != tiers.FIRST
    if wants_ceph and not is_one_of_many and not config.option.collectonly:
        ceph = ExitStack()
        config.add_cleanup(ceph.close)
        ceph.enter_context(s3_servers.sharing_ceph())


def pytest_report_header(config: pytest.Config) -> str:
    chosen = config.option.markexpr or "all"
    return "tests: the first tier; the rest: pytest -m thorough" if chosen == tiers.FIRST else f"tests: {chosen}"


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    return tiers.processes(config)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each test of the second tier has its mark before pytest chooses by marks."""
    for item in tiers.thorough(items):
        item.add_marker("thorough")


@pytest.fixture(autouse=True)
def clean_environment(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """HOME is a fresh folder; GIT_*, LEPTON and proxy variables of the caller are gone. Gives that HOME."""
    return _clean(monkeypatch, tmp_path_factory.mktemp("home"))


@pytest.fixture(autouse=True, scope="session")
def clean_environment_of_shared_fixtures(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The same for what a module or the whole run shares: that is made before any test has its own."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        _clean(monkeypatch, tmp_path_factory.mktemp("shared-home"))
        yield


def _clean(monkeypatch: pytest.MonkeyPatch, home: Path) -> Path:
    for name in list(os.environ):
        if name.startswith(("GIT_", "XDG_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    for name, value in {
        "HOME": str(home),
        "USERPROFILE": str(home),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_AUTHOR_NAME": "Ada",
        "GIT_AUTHOR_EMAIL": "ada@example.org",
        "GIT_COMMITTER_NAME": "Ada",
        "GIT_COMMITTER_EMAIL": "ada@example.org",
    }.items():
        monkeypatch.setenv(name, value)
    return home


@pytest.fixture(scope="session")
def backends() -> Iterator[Backends]:
    """Databases and storage for the servers of this test process."""
    from tests.support.backends import Backends  # with boto3 and SQLAlchemy, which many tests do without

    with Backends() as running:
        yield running
