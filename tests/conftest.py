"""Every test runs with an empty HOME, no git configuration of the person who runs it, and no token of theirs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support import forked_servers, running_server, s3_servers
from tests.support.backends import Backends

settings.register_profile("default", deadline=None, derandomize=True, max_examples=60)
settings.register_profile("deep", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("GIT_LEPTON_HYPOTHESIS_PROFILE", "default"))


def pytest_configure(config: pytest.Config) -> None:
    """Ceph, where there is one to start, is shared by all test processes: several that start at once are in each other's way."""
    running_server.FORKED = forked_servers.POSSIBLE
    is_one_of_many = hasattr(config, "workerinput")
    if s3_servers.CEPH and not is_one_of_many and not config.option.collectonly:
        ceph = ExitStack()
        config.add_cleanup(ceph.close)
        ceph.enter_context(s3_servers.sharing_ceph())


@pytest.fixture(autouse=True)
def clean_environment(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """HOME is a fresh folder; GIT_*, LEPTON and proxy variables of the caller are gone. Gives that HOME."""
    home = tmp_path_factory.mktemp("home")
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
    with Backends() as running:
        yield running
