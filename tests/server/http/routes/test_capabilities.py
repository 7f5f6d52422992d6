"""The first contact: capabilities, versions, what an unknown or broken request is answered, and the description of it all."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from git_lepton.format.coding.encoded import RELEASED
from git_lepton.wire.messages import Capabilities, ErrorReply, from_json
from git_lepton.wire.protocol import API, CAPABILITIES
from tests.support.running_server import RunningServer


@pytest.fixture
def http(server: RunningServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {server.admin_token}"}) as client:
        yield client


def test_capabilities_need_no_token_and_no_version(server: RunningServer) -> None:
    reply = httpx.get(server.url + CAPABILITIES, headers={"Lepton-Protocol": "99"})
    found = from_json(Capabilities, reply.json())
    assert found.protocol_min <= 1 <= found.protocol_max
    assert found.codecs == sorted(RELEASED)
    assert len(reply.headers["lepton-request"]) == 16


def test_health(http: httpx.Client) -> None:
    assert http.get("/healthz").json() == {"status": "ok"}


@pytest.mark.parametrize("version", ["0", "2", "x"])
def test_an_unknown_protocol_is_told_what_to_install(http: httpx.Client, version: str) -> None:
    reply = http.get(f"{API}/account", headers={"Lepton-Protocol": version})
    assert reply.status_code == 426
    error = from_json(ErrorReply, reply.json()).error
    assert error.code == "upgrade_required"
    assert "pip install" in error.hint


def test_a_client_that_lacks_a_codec_is_told_what_to_install(http: httpx.Client) -> None:
    path = f"{API}/repositories/admin/codecs"
    assert http.put(path, json={}).status_code == 200
    assert http.get(path, headers={"Lepton-Codecs": ",".join(map(str, {*RELEASED, 99}))}).status_code == 200
    for method, where in [("GET", path), ("POST", f"{path}/uploads")]:
        reply = http.request(method, where, headers={"Lepton-Codecs": "0,1"})
        assert (reply.status_code, reply.json()["error"]["code"]) == (426, "upgrade_required")


@pytest.mark.parametrize("path", ["/nowhere", f"{API}/nowhere", f"{API}/transfers"])
def test_paths_that_are_none(http: httpx.Client, path: str) -> None:
    reply = http.get(path)
    assert reply.status_code == 404
    assert from_json(ErrorReply, reply.json()).error.code == "not_found"


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_transfer_url_that_nobody_gave(http: httpx.Client, method: str) -> None:
    reply = http.request(method, f"{API}/transfers/abc.def", content=b"" if method == "PUT" else None)
    assert (reply.status_code, reply.json()["error"]["code"]) == (403, "forbidden")


def test_everything_is_described(http: httpx.Client) -> None:
    described = http.get("/openapi.json").json()
    operations = {f"{method.upper()} {path}" for path, item in described["paths"].items() for method in item}
    in_repository = API + "/repositories/{owner}/{name}"
    assert {
        f"GET {CAPABILITIES}",
        f"GET {API}/account",
        f"PUT {in_repository}",
        f"POST {in_repository}/objects/check",
        f"POST {in_repository}/uploads/{{session}}/have",
        f"POST {in_repository}/plan",
        f"POST {in_repository}/urls",
        f"PUT {API}/transfers/{{token}}",
    } <= operations
    body = described["paths"][f"{in_repository}/plan"]["post"]["requestBody"]["content"]
    assert body == {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
