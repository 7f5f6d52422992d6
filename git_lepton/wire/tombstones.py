"""Messages about weights that were taken away (docs/wire-protocol.md)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tombstone:
    """What stands for weights that were taken away: `oid` in hex, size in bytes, `kind` expired, lost or purged, why, by whom, and when
    (milliseconds since 1970)."""

    oid: str
    size: int
    kind: str
    reason: str
    by: str
    created: int


@dataclass(frozen=True)
class Tombstones:
    tombstones: list[Tombstone]


@dataclass(frozen=True)
class Unlinked:
    """How many objects a repository held and holds no longer."""

    objects: int
