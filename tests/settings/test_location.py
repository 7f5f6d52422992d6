"""Which store is used, and which is not to be believed."""

from __future__ import annotations

from pathlib import Path

import pytest

from git_lepton.format.lepton_toml import BadLeptonToml
from git_lepton.git.repository import GitRepository
from git_lepton.settings import Settings
from git_lepton.settings.addresses import BadStoreUrl
from git_lepton.settings.location import NoStore, StoreLocation, StoreNotTrusted
from tests.support.git_sandbox import GitSandbox

EVIL = '[store]\nurl = "https://evil.example/a/b"\n'


@pytest.fixture
def sandbox(tmp_path: Path) -> GitSandbox:
    return GitSandbox.create(tmp_path / "repo", filter=None, track=None)


def settings(sandbox: GitSandbox, **environment: str) -> Settings:
    return Settings(GitRepository(sandbox.folder), environment)


def locate(sandbox: GitSandbox, remote: str | None = None, *, push: bool = False, **environment: str) -> StoreLocation:
    return settings(sandbox, **environment).store_location(remote, push=push)


def commit_toml(sandbox: GitSandbox, text: str) -> None:
    sandbox.write("lepton.toml", text)
    sandbox.git("add", "lepton.toml")
    sandbox.git("commit", "--quiet", "-m", "toml")


def test_nothing_said_is_wrong_use(sandbox: GitSandbox) -> None:
    with pytest.raises(NoStore) as caught:
        locate(sandbox)
    assert caught.value.exit_code == 2
    assert "lepton.url" in caught.value.hint


def test_an_ordinary_remote_names_no_store_and_shows_no_password(sandbox: GitSandbox) -> None:
    with pytest.raises(NoStore, match="ordinary git remote") as caught:
        locate(sandbox, "https://me:secret@github.com/x/y")
    assert "secret" not in str(caught.value)


def test_config_comes_before_the_remote_and_the_remote_before_the_tree(sandbox: GitSandbox) -> None:
    commit_toml(sandbox, '[store]\nurl = "https://origin.example/tree/c"\n')
    sandbox.git("remote", "add", "origin", "https://origin.example/tree/c.git")
    assert (locate(sandbox).repository, locate(sandbox).origin) == ("tree/c", "tree")
    sandbox.git("remote", "set-url", "origin", "lepton::https://origin.example/remote/b")
    assert (locate(sandbox).repository, locate(sandbox).origin) == ("remote/b", "remote")
    sandbox.git("config", "lepton.url", "https://store.example/config/a")
    assert (locate(sandbox).repository, locate(sandbox).origin) == ("config/a", "config")


def test_the_remote_is_the_branchs_else_origin_else_the_only_one(sandbox: GitSandbox) -> None:
    sandbox.git("remote", "add", "one", "lepton::https://one.example/a/b")
    assert locate(sandbox).remote == "one"
    sandbox.git("remote", "add", "two", "lepton::https://two.example/a/b")
    with pytest.raises(NoStore):
        locate(sandbox)
    sandbox.git("remote", "add", "origin", "lepton::https://origin.example/a/b")
    assert locate(sandbox).remote == "origin"
    sandbox.git("config", "branch.main.remote", "two")
    assert locate(sandbox).remote == "two"
    sandbox.git("config", "branch.main.pushRemote", "one")
    assert (locate(sandbox).remote, locate(sandbox, push=True).remote) == ("two", "one")
    assert locate(sandbox, "origin").authority == "origin.example"


def test_a_remote_may_be_given_as_an_address(sandbox: GitSandbox) -> None:
    assert locate(sandbox, "lepton::http://127.0.0.1:8417/a/b").url == "http://127.0.0.1:8417"


def test_pushurl_counts_for_pushes(sandbox: GitSandbox) -> None:
    sandbox.git("remote", "add", "origin", "lepton::https://read.example/a/b")
    sandbox.git("config", "remote.origin.pushurl", "lepton::https://write.example/a/b")
    assert (locate(sandbox).authority, locate(sandbox, push=True).authority) == ("read.example", "write.example")


def test_insteadof_holds_for_stores_too(sandbox: GitSandbox) -> None:
    sandbox.git("config", "url.http://localhost:8417/.insteadOf", "https://old.example/")
    sandbox.git("remote", "add", "origin", "lepton::https://old.example/a/b")
    assert locate(sandbox).url == "http://localhost:8417"


def test_a_store_that_only_the_tree_names_is_refused_and_the_hint_mends_it(sandbox: GitSandbox) -> None:
    commit_toml(sandbox, EVIL)
    sandbox.git("remote", "add", "origin", "git@github.com:x/y")
    with pytest.raises(StoreNotTrusted) as caught:
        locate(sandbox, GIT_LEPTON_TOKEN="secret")
    assert caught.value.exit_code == 2
    assert caught.value.hint.endswith("git lepton trust evil.example/a/b")
    assert not caught.value.location.token_allowed
    sandbox.git("config", "--global", "lepton.trustedHost", "evil.example")
    found = locate(sandbox, GIT_LEPTON_TOKEN="secret")
    assert (found.origin, found.trusted, found.token_allowed) == ("tree", True, False)
    assert locate(sandbox, GIT_LEPTON_TOKEN="secret", GIT_LEPTON_HOST="evil.example").token_allowed


def test_trust_in_the_repositorys_own_config_does_not_count(sandbox: GitSandbox) -> None:
    commit_toml(sandbox, EVIL)
    sandbox.git("config", "--local", "lepton.trustedHost", "evil.example")
    sandbox.git("config", "--local", "lepton.trustedStore", "evil.example/a/b")
    with pytest.raises(StoreNotTrusted):
        locate(sandbox)


def test_trust_for_one_port_is_not_trust_for_another(sandbox: GitSandbox) -> None:
    commit_toml(sandbox, '[store]\nurl = "http://127.0.0.1:9999/a/b"\n')
    sandbox.git("remote", "add", "origin", "http://127.0.0.1:8417/a/b.git")
    with pytest.raises(StoreNotTrusted):
        locate(sandbox)
    sandbox.git("config", "--global", "lepton.trustedHost", "127.0.0.1:8417")
    with pytest.raises(StoreNotTrusted):
        locate(sandbox)
    sandbox.git("config", "--global", "--add", "lepton.trustedHost", "127.0.0.1:9999")
    assert locate(sandbox).url == "http://127.0.0.1:9999"


OWN = (
    "git@evil.example:a/b",
    "ssh://git@evil.example/a/b.git",
    "https://evil.example/a/b",
    "https://me:pw@evil.example/a/b.git/",
)
FOREIGN = (
    "git@evil.example:x/y",
    "git@evil.example:a/bb",
    "git@evil.example:srv/a/b",
    "https://evil.example/x/y.git",
    "https://evil.example/group/a/b.git",
    "https://other.example/a/b.git",
    "https://evil.example:8443/a/b.git",
    "git://evil.example/a/b",  # proves no host
)


@pytest.mark.parametrize("remote", OWN)
def test_the_git_remotes_own_store_may_be_named_by_the_tree(sandbox: GitSandbox, remote: str) -> None:
    commit_toml(sandbox, EVIL)
    sandbox.git("remote", "add", "origin", remote)
    assert locate(sandbox).token_allowed
    assert locate(sandbox, push=True).repository == "a/b"


@pytest.mark.parametrize("remote", FOREIGN)
@pytest.mark.parametrize("push", [False, True])
def test_another_repository_on_the_remotes_own_host_may_not(sandbox: GitSandbox, remote: str, push: bool) -> None:
    commit_toml(sandbox, EVIL)
    sandbox.git("remote", "add", "origin", remote)
    with pytest.raises(StoreNotTrusted) as caught:
        locate(sandbox, push=push, GIT_LEPTON_TOKEN="secret")
    assert caught.value.hint == "If that is right: git lepton trust evil.example/a/b"
    sandbox.git("config", "--global", "lepton.trustedStore", "evil.example/a/b")
    assert locate(sandbox, push=push).repository == "a/b"
    commit_toml(sandbox, EVIL.replace("a/b", "a/c"))
    with pytest.raises(StoreNotTrusted):
        locate(sandbox, push=push)


@pytest.mark.parametrize(
    ("store", "remote"),
    [
        ("http://evil.example/a/b", "https://evil.example/a/b.git"),
        ("http://evil.example:443/a/b", "https://evil.example/a/b.git"),
        ("http://evil.example:8417/a/b", "https://evil.example:8417/a/b.git"),
        ("http://evil.example:443/a/b", "git@evil.example:a/b.git"),
        ("http://localhost:8417/a/b", "https://localhost:8417/a/b.git"),
        ("https://evil.example:8417/a/b", "http://evil.example:8417/a/b.git"),
    ],
)
@pytest.mark.parametrize("push", [False, True])
def test_the_tree_does_not_choose_the_scheme_of_the_remotes_own_host(
    sandbox: GitSandbox, store: str, remote: str, push: bool
) -> None:
    commit_toml(sandbox, f'[store]\nurl = "{store}"\n')
    sandbox.git("remote", "add", "origin", remote)
    with pytest.raises(StoreNotTrusted) as caught:
        locate(sandbox, push=push)
    assert not caught.value.location.token_allowed
    sandbox.git("config", "--global", "lepton.trustedStore", caught.value.name)
    assert f"{locate(sandbox, push=push)}" == store


def test_where_the_git_remote_is_plain_http_its_own_store_may_be(sandbox: GitSandbox) -> None:
    commit_toml(sandbox, '[store]\nurl = "http://store.example:8417/a/b"\n')
    sandbox.git("remote", "add", "origin", "http://store.example:8417/a/b.git")
    found = locate(sandbox, push=True)
    assert (found.url, found.token_allowed) == ("http://store.example:8417", False)


def test_an_approval_without_a_scheme_is_none_for_plain_http(sandbox: GitSandbox) -> None:
    commit_toml(sandbox, '[store]\nurl = "http://evil.example:8417/a/b"\n')
    for key, rule in (
        ("trustedHost", "evil.example"),
        ("trustedHost", "evil.example:8417"),
        ("trustedStore", "evil.example:8417/a/b"),
    ):
        sandbox.git("config", "--global", "--add", f"lepton.{key}", rule)
    with pytest.raises(StoreNotTrusted) as caught:
        locate(sandbox, GIT_LEPTON_HOST="evil.example:8417")
    assert caught.value.hint == "If that is right: git lepton trust http://evil.example:8417/a/b"


def test_from_the_host_of_the_users_environment_may_be_read_and_nothing_is_sent_there_unasked(sandbox: GitSandbox) -> None:
    commit_toml(sandbox, EVIL)
    assert locate(sandbox, GIT_LEPTON_HOST="evil.example").token_allowed
    with pytest.raises(StoreNotTrusted):
        locate(sandbox, push=True, GIT_LEPTON_HOST="evil.example")
    with pytest.raises(StoreNotTrusted):
        locate(sandbox, GIT_LEPTON_HOST="store.example")


def test_heads_lepton_toml_counts_and_no_other(sandbox: GitSandbox) -> None:
    sandbox.git("remote", "add", "origin", "git@good.example:a/b")
    commit_toml(sandbox, EVIL)
    commit_toml(sandbox, '[store]\nurl = "https://good.example/a/b"\n')
    sandbox.write("lepton.toml", EVIL)
    sandbox.git("add", "lepton.toml")
    assert locate(sandbox).authority == "good.example"


@pytest.mark.parametrize("text", ["[store\n", "[store]\nurl = 3\n", "store = 3\n"])
def test_a_broken_lepton_toml_is_wrong_use(sandbox: GitSandbox, text: str) -> None:
    commit_toml(sandbox, text)
    with pytest.raises(BadLeptonToml) as caught:
        locate(sandbox)
    assert caught.value.exit_code == 2


def test_a_syntax_error_is_named_with_its_line(sandbox: GitSandbox) -> None:
    commit_toml(sandbox, "[store]\nurl = \n")
    with pytest.raises(BadLeptonToml, match="line 2"):
        locate(sandbox)


def test_user_and_password_in_the_tree_are_ignored(sandbox: GitSandbox) -> None:
    sandbox.git("remote", "add", "origin", "git@good.example:a/b")
    commit_toml(sandbox, '[store]\nurl = "https://me:pw@good.example/a/b"\n')
    assert (locate(sandbox).username, locate(sandbox).password) == (None, None)


def test_the_token_stays_within_its_host_and_off_plain_http(sandbox: GitSandbox) -> None:
    sandbox.git("remote", "add", "origin", "lepton::https://store.example/a/b")
    sandbox.git("remote", "add", "plain", "lepton::http://store.example/a/b")
    sandbox.git("remote", "add", "here", "lepton::http://127.0.0.1:8417/a/b")
    assert locate(sandbox, "origin").token_allowed
    assert not locate(sandbox, "plain").token_allowed
    assert locate(sandbox, "here").token_allowed
    assert not locate(sandbox, "origin", GIT_LEPTON_HOST="other.example").token_allowed
    assert locate(sandbox, "here", GIT_LEPTON_HOST="127.0.0.1:8417").token_allowed
    assert not locate(sandbox, "here", GIT_LEPTON_HOST="127.0.0.1:8418").token_allowed


def test_a_submodules_remote_gets_no_token(sandbox: GitSandbox, tmp_path: Path) -> None:
    inner = GitSandbox.create(tmp_path / "inner", filter=None, track=None)
    inner.git("commit", "--quiet", "--allow-empty", "-m", "first")
    sandbox.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner.folder), "part")
    part = GitSandbox(sandbox.folder / "part")
    part.git("remote", "set-url", "origin", "lepton::https://store.example/a/b")
    found = locate(part)
    assert (found.origin, found.token_allowed) == ("submodule", False)
    assert locate(part, GIT_LEPTON_HOST="store.example").token_allowed


def test_a_folder_is_a_store_of_its_own(sandbox: GitSandbox, tmp_path: Path) -> None:
    sandbox.git("init", "--quiet", "--bare", str(tmp_path / "shared.git"))
    sandbox.git("remote", "add", "origin", "../shared.git")
    found = locate(sandbox)
    assert (found.kind, found.folder, found.token_allowed) == ("folder", (tmp_path / "shared.git").resolve(), False)
    sandbox.git("remote", "set-url", "origin", (tmp_path / "shared.git").as_uri())
    assert locate(sandbox).folder == (tmp_path / "shared.git").resolve()


def test_a_tree_may_not_send_weights_into_a_folder(sandbox: GitSandbox, tmp_path: Path) -> None:
    commit_toml(sandbox, f'[store]\nurl = "file://{tmp_path}"\n')
    with pytest.raises(BadStoreUrl):
        locate(sandbox)


def test_an_address_outside_of_any_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = Settings(GitRepository(), {}).location_of_url("https://store.example/a/b")
    assert (found.origin, found.repository, found.token_allowed) == ("remote", "a/b", True)
