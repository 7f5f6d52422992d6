from __future__ import annotations

import pytest

from git_lepton.errors import WrongUse
from git_lepton.transfer.http.hosts import host_of, is_listed, login_name, origin_of
from git_lepton.workflow.setup.login import server_url


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://models.example/a/b", "models.example"),
        ("http://ada:pw@models.example:8417", "models.example:8417"),
        ("https://[::1]:8/x", "[::1]:8"),
    ],
)
def test_the_host_of_a_url(url: str, host: str) -> None:
    assert host_of(url) == host


@pytest.mark.parametrize("url", ["", "models.example", "ftp://h/x", "https://", "http://h:port/", "file:///x", "http://[::1"])
def test_what_is_no_http_url_is_wrong_use_without_its_password(url: str) -> None:
    with pytest.raises(WrongUse, match="not an http or https address"):
        host_of(url)
    with pytest.raises(WrongUse) as caught:
        host_of("ftp://ada:secret@h/x")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://models.example/prefix", "models.example"),
        ("http://localhost:8417", "localhost:8417"),
        ("http://[::1]:8417", "[::1]:8417"),
        ("https://localhost:8443", "https://localhost:8443"),
        ("https://127.0.0.1:8443", "https://127.0.0.1:8443"),
        ("https://store.localhost:8443", "store.localhost:8443"),
        ("http://store.localhost:8417", "http://store.localhost:8417"),
    ],
)
def test_what_login_is_told_leads_to_the_same_server(url: str, name: str) -> None:
    assert login_name(url) == name
    assert origin_of(server_url(name)) == origin_of(url)


def test_an_origin_is_scheme_host_and_port() -> None:
    assert origin_of("https://H.example/a") == origin_of("https://h.example:443/b")
    assert origin_of("http://h.example/") != origin_of("https://h.example/")
    assert origin_of("http://h:1/") != origin_of("http://h:2/")


@pytest.mark.parametrize(
    ("host", "rules", "listed"),
    [
        ("a.example", "example", True),
        ("a.example", ".example,b", True),
        ("badexample", "example", False),
        ("h", "*", True),
        ("10.1.2.3", "x, 10.0.0.0/8", True),
        ("11.1.2.3", "10.0.0.0/8", False),
        ("::1", "[::1]", True),
        ("h", "", False),
        ("h", ",,", False),
    ],
)
def test_no_proxy_lists(host: str, rules: str, listed: bool) -> None:
    assert is_listed(host, rules) is listed
