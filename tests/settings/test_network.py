"""git's own settings for a URL: proxy, certificates, headers."""

from __future__ import annotations

from pathlib import Path

import pytest

from git_lepton.git.repository import GitRepository
from git_lepton.settings import Settings
from git_lepton.settings.network import HttpSettings
from tests.support.git_sandbox import GitSandbox

URL = "https://store.example/x/y"


@pytest.fixture
def sandbox(tmp_path: Path) -> GitSandbox:
    return GitSandbox.create(tmp_path / "repo", filter=None, track=None)


def http(sandbox: GitSandbox, url: str = URL, **environment: str) -> HttpSettings:
    return Settings(GitRepository(sandbox.folder), environment).http(url)


def test_nothing_set_means_git_defaults(sandbox: GitSandbox) -> None:
    assert http(sandbox) == HttpSettings()


def test_the_closest_section_wins(sandbox: GitSandbox, tmp_path: Path) -> None:
    sandbox.git("config", "http.proxy", "http://general:1")
    sandbox.git("config", "http.https://store.example.proxy", "special:2")
    sandbox.git("config", "http.https://store.example.sslCAInfo", "~/ca.pem")
    sandbox.git("config", "http.https://other.example.sslVerify", "false")
    sandbox.git("config", "http.https://store.example.extraHeader", "X-Site: here")
    found = http(sandbox)
    assert found.proxy == "http://special:2"
    assert found.ca_file == str(Path.home() / "ca.pem")
    assert found.verify
    assert found.extra_headers == ("X-Site: here",)
    assert http(sandbox, "https://third.example/").proxy == "http://general:1"
    assert not http(sandbox, "https://other.example/").verify


def test_a_remotes_own_proxy_comes_first(sandbox: GitSandbox) -> None:
    sandbox.git("config", "http.proxy", "http://general:1")
    sandbox.git("remote", "add", "origin", "lepton::https://store.example/x/y")
    sandbox.git("remote", "add", "direct", "lepton::https://direct.example/x/y")
    sandbox.git("config", "remote.origin.proxy", "special:2")
    sandbox.git("config", "remote.direct.proxy", "")
    assert http(sandbox).proxy == "http://special:2"
    assert http(sandbox, "https://direct.example").proxy is None
    assert http(sandbox, "https://store.example:8443").proxy == "http://general:1"


def test_an_empty_proxy_means_none(sandbox: GitSandbox) -> None:
    sandbox.git("config", "http.https://store.example.proxy", "")
    assert http(sandbox, https_proxy="http://somewhere:1").proxy is None


@pytest.mark.parametrize(
    ("url", "variables", "expected"),
    [
        (URL, {"https_proxy": "http://a:1"}, "http://a:1"),
        (URL, {"HTTPS_PROXY": "http://a:1"}, "http://a:1"),
        (URL, {"ALL_PROXY": "a:1"}, "http://a:1"),
        (URL, {"http_proxy": "http://a:1"}, None),
        ("http://store.example/", {"http_proxy": "http://a:1"}, "http://a:1"),
        ("http://store.example/", {"HTTP_PROXY": "http://a:1"}, None),
    ],
)
def test_proxy_variables_are_those_of_curl(
    sandbox: GitSandbox, url: str, variables: dict[str, str], expected: str | None
) -> None:
    assert http(sandbox, url, **variables).proxy == expected


def test_the_environment_of_git_wins_for_certificates(sandbox: GitSandbox) -> None:
    sandbox.git("config", "http.sslCAInfo", "/config.pem")
    sandbox.git("config", "http.sslCert", "/cert.pem")
    found = http(sandbox, GIT_SSL_CAINFO="/environment.pem", GIT_SSL_NO_VERIFY="1", no_proxy="a,b")
    assert (found.ca_file, found.cert, found.verify, found.no_proxy) == ("/environment.pem", "/cert.pem", False, "a,b")


def test_secrets_are_not_shown(sandbox: GitSandbox) -> None:
    sandbox.git("config", "http.proxy", "http://me:secret@proxy:1")
    sandbox.git("config", "http.extraHeader", "Authorization: Basic secret")
    assert "secret" not in repr(http(sandbox))
