"""Requests that nobody would write, made from the OpenAPI description by schemathesis: the server never fails over one (no 5xx).

What is refused is refused as the protocol says. The seed is fixed; GIT_LEPTON_FUZZ_EXAMPLES asks for more of each route.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from urllib.parse import quote

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from schemathesis.specs.openapi.schemas import OpenApiSchema

from tests.server.conftest import BOTH_DATABASES, PATIENT
from tests.server.everybody import Everybody, bearer
from tests.server.http.test_route_matrix import FILLED, ROUTES, R
from tests.support.running_server import RunningServer

pytestmark = BOTH_DATABASES
EXAMPLES = int(os.environ.get("GIT_LEPTON_FUZZ_EXAMPLES", "6"))
ODD: list[str | int] = [
    "a\0b",
    "\ud800",
    "x" * 5000,
    "ä/../..",
    "%00",
    "' OR 1=1 --",
    "\r\nX: y",
    "🦆",
    -1,
    1 << 31,
    1 << 63,
    10**30,
]
PLACE = {"owner": "acme", "name": "models", "organisation": "acme"}
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def server_options() -> Sequence[str]:
    return PATIENT


@pytest.fixture(scope="module")
def described(server: RunningServer, everybody: Everybody) -> OpenApiSchema:
    return schemathesis.openapi.from_dict(httpx.get(f"{server.url}/openapi.json").json())


@pytest.fixture(scope="module")
def session(server: RunningServer) -> Iterator[requests.Session]:
    with requests.Session() as opened:
        opened.headers["Authorization"] = f"Bearer {server.admin_token}"
        yield opened


@pytest.mark.thorough
def test_no_request_makes_the_server_fail(server: RunningServer, described: OpenApiSchema, session: requests.Session) -> None:
    """Of an admin, who gets everywhere; about a repository that is there, as far as a route has one."""
    asked = []
    for operation in (found.ok() for found in described.get_all_operations()):

        @seed(4)
        @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def fuzz(case: schemathesis.Case) -> None:
            case.path_parameters.update({key: PLACE[key] for key in case.path_parameters if key in PLACE})
            reply = case.call(base_url=server.url, session=session, allow_redirects=False)
            asked.append(reply.status_code)
            assert reply.status_code < 500, f"{case.as_curl_command()}: {reply.status_code} {reply.text}"

        fuzz()
    assert len(asked) > 4 * len(ROUTES)
    assert len(set(asked)) > 5  # not all of it was refused in one way


@pytest.mark.parametrize("route", [route for route in ROUTES if "{" in route])
def test_odd_names_and_numbers_are_refused_and_no_failure(server: RunningServer, everybody: Everybody, route: str) -> None:
    """In each part of the address, one after the other, and as what each message and question says."""
    method, _, path = route.partition(" ")
    call = ROUTES[route].call
    with bearer(server, server.admin_token) as client:
        for part in re.findall(r"{(\w+)}", path if route == f"GET {R}" else path.removeprefix(R)):  # R is the same for all
            for odd in ODD:
                filled = path.format(**{**FILLED, **PLACE, part: quote(str(odd), safe="", errors="surrogatepass")})
                reply = client.request(method, filled, **call)
                assert reply.status_code < 500, (part, odd, reply.text)
        for odd in ODD if "json" in call else ():
            for key in call["json"]:
                body = json.dumps({**call["json"], key: odd})
                reply = client.request(method, path.format(**{**FILLED, **PLACE}), content=body, headers=JSON)
                assert reply.status_code < 500, (key, odd, reply.text)
