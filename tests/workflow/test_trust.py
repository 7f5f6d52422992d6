"""Approved hosts: the user's own words, kept in the user's own configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from git_lepton.git.repository import GitRepository
from git_lepton.settings import Settings
from git_lepton.settings.addresses import BadStoreUrl
from git_lepton.workflow.trust import NotTrustedBefore, distrust, trust, trusted
from tests.support.git_sandbox import GitSandbox


@pytest.fixture
def git(tmp_path: Path) -> GitRepository:
    return GitRepository(GitSandbox.create(tmp_path / "repo", filter=None, track=None).folder)


def test_hosts_are_kept_once_and_taken_back_one_by_one(git: GitRepository) -> None:
    for host in ("One.Example", "two.example:8417", "https://one.example/x/y"):
        trust(git, Settings(git), host)
    assert trusted(Settings(git)) == ["one.example", "two.example:8417"]
    assert distrust(git, Settings(git), "ONE.example") == "one.example"
    assert trusted(Settings(git)) == ["two.example:8417"]
    distrust(git, Settings(git), "two.example:8417")
    assert trusted(Settings(git)) == []
    with pytest.raises(NotTrustedBefore):
        distrust(git, Settings(git), "two.example:8417")


def test_what_is_no_host_is_not_kept(git: GitRepository) -> None:
    for text in ("", "a b", "host:port"):
        with pytest.raises(BadStoreUrl):
            trust(git, Settings(git), text)
    assert trusted(Settings(git)) == []


def test_the_repositorys_own_config_counts_for_nothing(git: GitRepository) -> None:
    git.add_config("lepton.trustedHost", "evil.example", "local")
    assert trusted(Settings(git)) == []
