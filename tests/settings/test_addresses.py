"""Addresses: what is read out of them, and what is refused."""

from __future__ import annotations

import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from git_lepton.settings.addresses import (
    BadStoreUrl,
    approved_name,
    authority_of_remote,
    git_folder,
    is_private,
    names_host,
    names_store,
    normal_authority,
    parse_store_address,
    store_of_remote,
)
from tests.support.git_sandbox import GitSandbox

NAMES = st.text(string.ascii_letters + string.digits, min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("text", "url", "repository"),
    [
        ("https://store.example/team/models", "https://store.example", "team/models"),
        ("lepton::http://127.0.0.1:8417/a/b.git", "http://127.0.0.1:8417", "a/b"),
        ("lepton://Store.Example/a/b/", "https://store.example", "a/b"),
        ("https://store.example:443/prefix/of/it/a/b", "https://store.example/prefix/of/it", "a/b"),
        ("http://[::1]:80/a/b", "http://[::1]", "a/b"),
    ],
)
def test_a_store_address_has_a_server_and_a_repository(text: str, url: str, repository: str) -> None:
    address = parse_store_address(text)
    assert (address.url, address.repository) == (url, repository)


def test_user_and_password_are_taken_out_and_not_shown() -> None:
    address = parse_store_address("https://me:p%40ss@store.example/a/b")
    assert (address.url, address.username, address.password) == ("https://store.example", "me", "p@ss")
    assert "p@ss" not in repr(address)


@pytest.mark.parametrize(
    "text",
    [
        "https://store.example/only-owner",
        "https://store.example/a/b?x=1",
        "https://store.example/a/b#x",
        "ftp://store.example/a/b",
        "https:///a/b",
        "https://store.example:99999/a/b",
        "https://[::1/a/b",
        "https://store.example/../b",
        "https://store.example/.hidden/b",
        "https://store.example/\x1b[2J/a/b",
        "https://store.example/$(id)/a/b",
        "git@github.com:a/b",
        "",
    ],
)
def test_what_names_no_store_is_refused(text: str) -> None:
    with pytest.raises(BadStoreUrl) as caught:
        parse_store_address(text)
    assert caught.value.exit_code == 2


def test_a_refusal_does_not_show_the_password() -> None:
    with pytest.raises(BadStoreUrl) as caught:
        parse_store_address("https://me:secret@store.example/a")
    assert "secret" not in str(caught.value)


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_our_error(text: str) -> None:
    try:
        address = parse_store_address(text)
    except BadStoreUrl:
        return
    assert parse_store_address(f"{address.url}/{address.repository}").url == address.url


@given(NAMES, NAMES, st.integers(1, 65535))
def test_an_address_is_read_back_as_it_was_written(owner: str, name: str, port: int) -> None:
    address = parse_store_address(f"https://store.example:{port}/{owner}/{name}")
    assert address.repository == f"{owner}/{name}"
    assert address.authority == normal_authority(address.url)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("git@github.com:a/b", "github.com"),
        ("ssh://git@github.com:22/a/b", "github.com"),
        ("https://github.com/a/b.git", "github.com"),
        ("http://github.com/a/b.git", "github.com:80"),
        ("http://github.com:443/a/b.git", "github.com:443"),  # not the host of its https
        ("lepton::https://store.example:8443/a/b", "store.example:8443"),
        ("git://github.com/a/b", None),
        ("/srv/git/a.git", None),
        ("../a", None),
        ("C:\\models", None),
        ("C:/models", None),
        ("file:///srv/a", None),
    ],
)
def test_the_host_of_a_git_remote(url: str, expected: str | None) -> None:
    assert authority_of_remote(url) == expected


@pytest.mark.parametrize(
    ("remote", "store"),
    [
        ("https://store.example/a/b.git", "https://store.example/a/b"),
        ("https://store.example:443/a/b", "https://store.example/a/b"),
        ("http://store.example/a/b.git", "http://store.example/a/b"),
        ("http://store.example:443/a/b.git", "http://store.example:443/a/b"),
        ("http://[::1]:8417/p/a/b", "http://[::1]:8417/p/a/b"),
        ("lepton::http://store.example:8417/a/b", "http://store.example:8417/a/b"),
        ("lepton://store.example/a/b", "https://store.example/a/b"),
        ("git@Store.Example:a/b.git", "https://store.example/a/b"),
        ("ssh://git@[2001:db8::1]:22/a/b", "https://[2001:db8::1]/a/b"),
        ("git://store.example/a/b", None),
    ],
)
def test_a_git_remotes_own_store_is_reached_by_the_remotes_own_scheme(remote: str, store: str | None) -> None:
    assert store_of_remote(remote) == store
    if store:
        assert f"{parse_store_address(store).url}/{parse_store_address(store).repository}" == store


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("https://store.example/a/b", "store.example/a/b"),
        ("http://store.example/a/b", "http://store.example/a/b"),
        ("http://Store.Example:80/a/b.git", "http://store.example/a/b"),
        ("http://store.example:443/a/b", "http://store.example:443/a/b"),
        ("http://127.0.0.1:8417/a/b", "127.0.0.1:8417/a/b"),
        ("http://localhost:443/a/b", "http://localhost:443/a/b"),
        ("store.example", "store.example"),
        ("http://me:pw@store.example:8417/", "http://store.example:8417"),
        ("http://localhost:8417", "localhost:8417"),
    ],
)
def test_an_approval_says_where_it_means_plain_http(text: str, name: str) -> None:
    assert approved_name(text) == name
    assert approved_name(name) == name
    assert names_store(name) == text.endswith(("/b", "/b.git"))


@pytest.mark.parametrize(
    ("rule", "authority", "expected"),
    [
        ("store.example", "store.example", True),
        ("Store.Example", "store.example:8417", True),
        ("store.example:8417", "store.example:8417", True),
        ("store.example:8417", "store.example", False),
        ("store.example:443", "store.example", True),
        ("example", "store.example", False),
        ("store.example", "store.example.evil", False),
    ],
)
def test_a_host_without_a_port_means_every_port(rule: str, authority: str, expected: bool) -> None:
    assert names_host(rule, authority) is expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://anywhere.example", True),
        ("http://localhost:1", True),
        ("http://127.9.9.9", True),
        ("http://[::1]:3", True),
        ("http://anywhere.example", False),
        ("http://localhost.evil.example", False),
        ("http://127.0.0.1.evil.example", False),
        ("http://localhost@evil.example", False),
        ("http://10.0.0.1", False),
        ("http://127.0.0.999", False),
        ("http://127.0.0.01", False),
        ("http://store.localhost:1", False),
        ("https://store.localhost:1", True),
        ("ftp://localhost", False),
    ],
)
def test_tokens_travel_by_https_or_within_this_machine(url: str, expected: bool) -> None:
    assert is_private(url) is expected


def test_a_folder_is_found_as_git_finds_it(tmp_path: Path) -> None:
    sandbox = GitSandbox.create(tmp_path / "repo", filter=None, track=None)
    sandbox.git("init", "--quiet", "--bare", str(tmp_path / "bare.git"))
    sandbox.git("commit", "--quiet", "--allow-empty", "-m", "first")
    sandbox.git("worktree", "add", "--quiet", str(tmp_path / "second"))
    common = (tmp_path / "repo" / ".git").resolve()
    assert git_folder("repo", tmp_path) == common
    assert git_folder((tmp_path / "repo").as_uri(), Path("/")) == common
    assert git_folder("second", tmp_path) == common
    assert git_folder("bare", tmp_path) == (tmp_path / "bare.git").resolve()
    assert git_folder("nowhere", tmp_path) is None
    assert git_folder("https://store.example/a/b", tmp_path) is None
