"""Whose weights may be published as bases: the user's own word, for one destination or one push, and nothing that came with a clone."""

from __future__ import annotations

from pathlib import Path

import pytest

from git_lepton.git.repository import GitRepository
from git_lepton.settings import Settings
from git_lepton.settings.base_consent import NoSuchBaseName, NotAllowedBefore, allow_base, allowed_bases, disallow_base
from git_lepton.settings.location import StoreLocation
from tests.support.git_sandbox import GitSandbox

SHOP = StoreLocation("https://lepton.example.org", "team/Shop", "remote")
OTHER = StoreLocation("https://lepton.example.org", "team/other", "remote")


@pytest.fixture
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GitRepository:
    """A repository of somebody who has a configuration of their own."""
    own = tmp_path / "gitconfig"
    own.touch()
    sandbox = GitSandbox.create(tmp_path / "repo", filter=None, track=None)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(own))
    return GitRepository(sandbox.folder)


def allowed(git: GitRepository, target: StoreLocation = SHOP) -> list[str]:
    return allowed_bases(Settings(git), target)


def test_it_is_allowed_for_one_destination(git: GitRepository) -> None:
    settings = Settings(git)
    for name in ("Team/Vault", "team/vault", "team/lab"):
        allow_base(git, settings, SHOP, name)
    assert allowed(git) == allowed_bases(settings, SHOP) == ["team/vault", "team/lab"]
    assert allowed(git, OTHER) == []


def test_it_can_be_taken_back(git: GitRepository) -> None:
    settings = Settings(git)
    for name in ("team/vault", "team/lab"):
        allow_base(git, settings, SHOP, name)
    disallow_base(git, settings, SHOP, "team/VAULT")
    assert allowed(git) == ["team/lab"]
    with pytest.raises(NotAllowedBefore):
        disallow_base(git, settings, SHOP, "team/vault")


def test_neither_the_repositorys_config_nor_its_tree_allows_anything(git: GitRepository) -> None:
    git.set_config("lepton.allowBase", "team/vault")
    git.set_config("lepton.https://lepton.example.org/team/shop.allowBase", "team/vault")
    text = '[lepton]\nallowBase = "team/vault"\n[store]\nallowBase = "team/vault"\n'
    (Path(str(git.folder)) / "lepton.toml").write_text(text)
    assert allowed(git) == []


def test_for_one_command(git: GitRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    """`git -c lepton.allowBase=...` comes to the programs that git starts by these variables."""
    git.set_config("lepton.allowBase", "team/ever", "global")  # nobody means all destinations for ever
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "lepton.allowBase")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "team/Vault")
    assert allowed(git) == allowed(git, OTHER) == ["team/vault"]


@pytest.mark.parametrize("name", ["vault", "team/vault@main", "team/vault/x", "", "../x"])
def test_what_names_no_repository(git: GitRepository, name: str) -> None:
    with pytest.raises(NoSuchBaseName):
        allow_base(git, Settings(git), SHOP, name)
