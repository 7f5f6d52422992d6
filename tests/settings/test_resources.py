"""What we may use of a machine: limits of control groups, in the likenesses of several systems."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from git_lepton.settings import BadSetting, resources

MIB = 1 << 20


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """What is remembered for a process is forgotten before and after."""
    for remembered in (resources.cores, resources.memory_budget):
        remembered.cache_clear()
    yield
    for remembered in (resources.cores, resources.memory_budget):
        remembered.cache_clear()


def system(root: Path, groups: str, **files: str) -> Path:
    """A root folder with this /proc/self/cgroup and these files under /sys/fs/cgroup (double underscores are slashes)."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(groups)
    for name, text in files.items():
        place = root / "sys/fs/cgroup" / name.replace("__", "/").replace("DOT", ".")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text + "\n")
    return root


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        pytest.param("0::/job\n", {"job__memoryDOTmax": str(300 * MIB)}, 300 * MIB, id="own group"),
        pytest.param("0::/a/b\n", {"a__b__memoryDOTmax": "max", "a__memoryDOTmax": str(200 * MIB)}, 200 * MIB, id="a parent's"),
        pytest.param("0::/a\n", {"a__memoryDOTmax": str(900 * MIB), "a__memoryDOThigh": str(400 * MIB)}, 400 * MIB, id="high"),
        pytest.param("0::/host/path\n", {"memoryDOTmax": str(150 * MIB)}, 150 * MIB, id="container"),
        pytest.param("5:memory:/x\n0::/\n", {"memory__x__memoryDOTlimit_in_bytes": str(90 * MIB)}, 90 * MIB, id="version 1"),
        pytest.param("4:cpu,cpuacct:/\n", {"cpu__memoryDOTmax": "5"}, None, id="no limit"),
        pytest.param("0::/\n", {"memoryDOTmax": "some"}, None, id="nonsense"),
        pytest.param("0::/../..\n", {"memoryDOTmax": "7"}, None, id="outside of the mount"),
    ],
)
def test_the_least_memory_limit_of_all_groups_holds(
    tmp_path: Path, groups: str, files: dict[str, str], expected: int | None
) -> None:
    machine = resources.memory_limit(tmp_path / "nothing")
    assert resources.memory_limit(system(tmp_path / "root", groups, **files)) == (expected or machine)


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        pytest.param("0::/job\n", {"job__cpuDOTmax": "50000 100000"}, 1, id="half of one is one"),
        pytest.param("0::/job\n", {"job__cpuDOTmax": "max 100000"}, None, id="no quota"),
        pytest.param("4:cpu,cpuacct:/\n", {"cpu__cpuDOTcfs_quota_us": "90000", "cpu__cpuDOTcfs_period_us": "100000"}, 1, id="v1"),
        pytest.param(
            "4:cpu,cpuacct:/\n", {"cpu__cpuDOTcfs_quota_us": "-1", "cpu__cpuDOTcfs_period_us": "100000"}, None, id="v1, none"
        ),
    ],
)
def test_a_quota_of_time_limits_the_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, groups: str, files: dict[str, str], expected: int | None
) -> None:
    monkeypatch.setattr(resources, "_ROOT", system(tmp_path, groups, **files))
    monkeypatch.setattr(resources, "_processors", lambda: 7)
    assert resources.cores() == (expected or 7)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="there is no affinity here")
def test_processors_that_we_may_not_run_on_do_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "_ROOT", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {3})
    assert resources.cores() == 1


def test_the_budget_is_a_share_within_bounds() -> None:
    assert resources.share_of(1024 * MIB) == 256 * MIB
    assert resources.share_of(1 << 40) == resources.MOST_BYTES
    assert resources.share_of(1) == resources.LEAST_BYTES


def test_the_user_may_say_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_LEPTON_MEMORY", "2g")
    assert resources.memory_budget() == 2 << 30
    resources.memory_budget.cache_clear()
    monkeypatch.setenv("GIT_LEPTON_MEMORY", "lots")
    with pytest.raises(BadSetting, match="GIT_LEPTON_MEMORY"):
        resources.memory_budget()
