"""Resources of this machine that we may use: processors and memory, as the system or a container limits them.

Limits come from control groups (version 2 or 1: the process's own group and all above it), else from the machine. Nothing is
read before it is asked for; what was read once holds for the process.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path, PurePosixPath

_MIB = 1024 * 1024
MOST_BYTES = 384 * _MIB  # what more memory would buy is not worth taking it from the others on the machine
LEAST_BYTES = 48 * _MIB  # a few chunks: with less nothing runs beside anything else
_SHARE = 4  # of what the limit allows, one part in so many
_UNKNOWN_MACHINE = 2**30
_ROOT = Path("/")


@cache
def cores() -> int:
    """How many threads can really run at once, at least 1: processors that we may run on, and no more than our quota of time."""
    return max(1, min([_processors(), *_quotas(_ROOT)]))


@cache
def memory_budget() -> int:
    """Bytes that the data under way in this process may take together: raw pieces, payloads and the scratch memory of codecs.

    `GIT_LEPTON_MEMORY` says it; else it is a quarter of what the machine or our control group allows, 48 to 384 MiB. Raises
    BadSetting.
    """
    from git_lepton.settings.values import Values

    given = Values(None).memory
    return max(LEAST_BYTES, given) if given is not None else share_of(memory_limit(_ROOT))


def share_of(limit: int) -> int:
    """The budget where so many bytes are allowed."""
    return max(LEAST_BYTES, min(MOST_BYTES, limit // _SHARE))


def memory_limit(root: Path) -> int:
    """Bytes that this process may use before the system stops or slows it. `root` is /, or a likeness of it."""
    return min([_machine(), *_memory_limits(root)])


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _machine() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows, and systems that do not tell
        return _UNKNOWN_MACHINE


def _quotas(root: Path) -> Iterator[int]:
    """Whole processors that each quota on processor time is worth, rounded up."""
    for group in _groups(root, ""):
        quota, _, period = _text(group / "cpu.max").partition(" ")
        if quota.isdigit() and period.isdigit() and int(period):
            yield -(-int(quota) // int(period))
    for group in _groups(root, "cpu"):
        quota, period = _text(group / "cpu.cfs_quota_us"), _text(group / "cpu.cfs_period_us")
        if quota.isdigit() and period.isdigit() and int(period):
            yield -(-int(quota) // int(period))


def _memory_limits(root: Path) -> Iterator[int]:
    for controller, names in (("", ("memory.max", "memory.high")), ("memory", ("memory.limit_in_bytes",))):
        for group in _groups(root, controller):
            for name in names:
                text = _text(group / name)
                if text.isdigit() and int(text):
                    yield int(text)


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """The folders of this process's group and of those above it; controller "" is version 2. In a container the path that the
    kernel tells may lie outside what is mounted: then the mount's top is our group."""
    mount = root / "sys/fs/cgroup" / controller
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(",") and ".." not in path:
            group = PurePosixPath(path.lstrip("/"))
            yield from (mount / above for above in (group, *group.parents))


def _text(file: Path) -> str:
    try:
        return file.read_text().strip()
    except (OSError, ValueError):  # no such file where there are no such limits
        return ""
