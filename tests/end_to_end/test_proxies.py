"""git and weights by https: at the server itself, and behind nginx (below a prefix), HAProxy and Caddy with the settings that the
documentation gives.

What is tested is addresses and encryption; one kind of database and storage does.
"""

from __future__ import annotations

import filecmp
import json
import random
import re
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest

from tests.end_to_end.world import World
from tests.support.backends import Place
from tests.support.certificates import Certificates, make_certificates
from tests.support.proxies import free_port, running_caddy, running_haproxy, running_nginx
from tests.support.running_server import RunningServer
from tests.support.tiny_models import model

pytestmark = pytest.mark.thorough

NAME = "model.safetensors"
PREFIX = "/weights/of-all"


@pytest.fixture(scope="module")
def place() -> Place:
    return Place()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module", params=["nginx", "haproxy", "caddy", "alone"])
def address(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, certificates: Certificates
) -> Iterator[tuple[str, RunningServer]]:
    """Where clients reach the server."""
    folder = tmp_path_factory.mktemp("server")
    if request.param == "alone":
        options = ["--tls-certificate", str(certificates.certificate), "--tls-key", str(certificates.key)]
        with RunningServer(folder, options) as server:
            yield server.url.replace("127.0.0.1", "localhost"), server
        return
    port, behind = free_port(), free_port()
    prefix = PREFIX if request.param == "nginx" else ""
    url, upstream = f"https://localhost:{port}{prefix}", f"127.0.0.1:{behind}"
    options = ["--port", str(behind), "--public-url", url, "--trusted-proxy", "127.0.0.1", "--log-level", "info"]
    proxy = {
        "nginx": lambda: running_nginx(folder / "proxy", upstream, prefix, certificates, port),
        "haproxy": lambda: running_haproxy(folder / "proxy", upstream, certificates, port),
        "caddy": lambda: running_caddy(folder / "proxy", upstream, certificates, port),
    }[request.param]
    with proxy(), RunningServer(folder, [*options, "--log-format", "json"]) as server:
        yield url, server


@pytest.fixture
def secure(tmp_path: Path, clean_environment: Path, address: tuple[str, RunningServer], certificates: Certificates) -> World:
    """A world whose git trusts the authority."""
    url, server = address
    folder = tmp_path / "place"
    folder.mkdir()
    world = World(folder, clean_environment, server)
    world.environment["GIT_LEPTON_HOST"] = url.removeprefix("https://").partition("/")[0]
    world.git(folder, "config", "--global", "http.sslCAInfo", str(certificates.authority))
    return world


def trusting(certificates: Certificates) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificates.authority))


def test_push_clone_and_share(secure: World, address: tuple[str, RunningServer], certificates: Certificates) -> None:
    url, server = address
    remote = f"lepton::{url}/admin/models"
    place = secure.repository(remote=remote)
    data = model(1, rows=2000)
    secure.commit(place, NAME, data)
    secure.git(place, "push", "-q", "origin", "main")
    secure.git(secure.folder, "clone", "-q", remote, "elsewhere")
    assert (secure.folder / "elsewhere" / NAME).read_bytes() == data
    with_token = url.replace("://", f"://x:{server.admin_token}@")
    assert "refs/heads/main" in secure.git(secure.folder, "ls-remote", f"{with_token}/admin/models.git")
    # a link for somebody without an account
    said = secure.git(place, "lepton", "share", f"HEAD:{NAME}")
    link = next(word for word in said.split() if word.startswith(f"{url}/s/"))
    page = httpx.get(link, headers={"Accept": "text/html"}, verify=trusting(certificates))
    assert page.headers["Strict-Transport-Security"].startswith("max-age=")
    (target,) = re.findall(r'href="([^"]+)"', page.text)
    assert httpx.get(urljoin(link, target), verify=trusting(certificates)).content == data
    # who pushed, as the audit log has it: also the hook knows which request it belongs to
    (move,) = [json.loads(line) for line in server.run("audit", "--action", "ref.move", "--json").splitlines()]
    assert move["address"] == "127.0.0.1"
    assert move["request"]


def test_ordinary_files_of_any_size_go_through_git(secure: World, address: tuple[str, RunningServer]) -> None:
    """git sends them as one body, in pieces: far more than what lies in buffers on the way."""
    url, _ = address
    remote = f"lepton::{url}/admin/ordinary"
    place = secure.repository(remote=remote)
    secure.git(place, "config", "core.compression", "0")  # there is nothing to compress
    for megabytes in 12, 70:
        secure.commit(place, f"{megabytes}.dat", random.Random(megabytes).randbytes(megabytes * 1_000_000))
        secure.git(place, "push", "-q", "origin", "main")
    secure.git(place, "tag", "v1")
    secure.git(place, "-c", "http.postBuffer=100000000", "push", "-q", "origin", "v1", "HEAD~1:refs/heads/older")
    secure.git(secure.folder, "clone", "-q", remote, "elsewhere")
    for name in "12.dat", "70.dat":
        assert filecmp.cmp(secure.folder / "elsewhere" / name, place / name, shallow=False)


def test_a_certificate_of_nobody_known_is_not_taken(secure: World, address: tuple[str, RunningServer]) -> None:
    secure.git(secure.folder, "config", "--global", "--unset", "http.sslCAInfo")
    url, _ = address
    said = secure.git(secure.folder, "ls-remote", f"lepton::{url}/admin/none", fails=True)
    assert "certificate" in said


def test_the_log_has_the_client_and_not_the_proxy(address: tuple[str, RunningServer], certificates: Certificates) -> None:
    """nginx says who asked and how it calls the request; what the client says of itself goes for nothing."""
    url, server = address
    if not url.endswith(PREFIX):
        pytest.skip("no nginx stands before this server")
    lie = {"X-Forwarded-For": "6.6.6.6", "X-Request-ID": "my-own-name"}
    answer = httpx.get(f"{url}/healthz", headers=lie, verify=trusting(certificates))
    name = answer.headers["Lepton-Request"]
    assert len(name) == 32  # nginx's
    time.sleep(0.2)
    lines = [json.loads(line) for line in server.log.read_text().splitlines()]
    assert [line["address"] for line in lines if line.get("request") == name] == ["127.0.0.1"]
    assert "6.6.6.6" not in server.log.read_text()
