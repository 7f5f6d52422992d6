"""Which tests are the first tier, what `pytest` alone runs, and which the second, `pytest -m thorough`: each test is in one of them.

A test is thorough if it is marked so; if it needs a database or a storage beyond SQLite and a disk; and of one that is tried in many
cases all but the first are. What is marked `smoke` is in the first tier all the same, except on Ceph.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import pytest

FIRST = "not thorough"
"""What pytest is told to choose where its command line names neither marks nor files."""
PLACES = ("sqlite-disk", "postgres-disk", "postgres-moto", "postgres-ceph")
"""Pairs of database and storage: the first is an embedded server's."""


def wants_first(config: pytest.Config) -> bool:
    """Whether this is `pytest` alone. Whoever names files or folders gets all that is in them."""
    return config.args_source is not pytest.Config.ArgsSource.ARGS and not config.option.markexpr


def processes(config: pytest.Config) -> int:
    """One more than there are cores, since tests wait for servers; for files that are named, this one alone."""
    if config.args_source is pytest.Config.ArgsSource.ARGS:
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores + 1


def thorough(items: Sequence[pytest.Item]) -> Iterator[pytest.Item]:
    """Those that are in the second tier."""
    tried: set[str] = set()
    for item in items:
        if item.get_closest_marker("thorough") or _is_elsewhere(item):
            yield item
            continue
        test = item.nodeid.partition("[")[0]
        if test in tried and not item.get_closest_marker("smoke"):
            yield item
        tried.add(test)


def _is_elsewhere(item: pytest.Item) -> bool:
    """Whether it needs another database or storage than an embedded server has, and is no smoke test of that."""
    chosen = item.callspec.params.values() if isinstance(item, pytest.Function) and hasattr(item, "callspec") else ()
    places = {value for value in chosen if isinstance(value, str) and value in {*PLACES, "ceph"}}
    if any(place.endswith("ceph") for place in places):
        return True
    return bool(places - {PLACES[0]}) and not item.get_closest_marker("smoke")
