"""Looks at a server as those do who watch it."""

from __future__ import annotations

import time

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.support.running_server import RunningServer

METRICS_TOKEN = "for-prometheus-only"
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scrape(server: RunningServer, token: str = METRICS_TOKEN) -> Samples:
    """What /metrics says."""
    answer = httpx.get(f"{server.url}/metrics", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200, answer.text
    families = text_string_to_metric_families(answer.text)
    return {(sample.name, frozenset(sample.labels.items())): sample.value for family in families for sample in family.samples}


def sample(found: Samples, name: str, **labels: str) -> float:
    return found.get((name, frozenset(labels.items())), 0.0)


def wait_until_ready_is(server: RunningServer, status: int) -> None:
    """Wait until /readyz answers so."""
    limit = time.monotonic() + 20
    while httpx.get(f"{server.url}/readyz").status_code != status:
        assert time.monotonic() < limit, f"/readyz does not answer {status}"
        time.sleep(0.2)
