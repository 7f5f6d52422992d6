"""Weights that a server has taken away on the record: which, since when and why. Their pointers go on standing for them.

A server from before there were any does not know the question: then nothing was taken away.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from git_lepton.errors import CorruptData, WeightsMissing
from git_lepton.format.identifiers import ObjectId
from git_lepton.transfer.http.refusals import NotFound
from git_lepton.wire import protocol
from git_lepton.wire.tombstones import Tombstone, Tombstones

if TYPE_CHECKING:
    from git_lepton.store.local_store import LocalStore
    from git_lepton.transfer.progress import Progress
    from git_lepton.transfer.remote_store import RemoteStore

_PURGED, _LOST = "purged", "lost"
_NAMED = 3


class WeightsTakenAway(WeightsMissing):
    """The server had these weights and has them no longer."""

    def __init__(self, stone: Tombstone) -> None:
        remedy = (
            "Use another version; these weights are not stored again."
            if stone.kind == _PURGED
            else "Use another version; or who still has the weights brings them back: git lepton push"
        )
        super().__init__(f"sha256:{stone.oid} {told(stone)}", remedy)
        self.stone = stone

    @property
    def for_good(self) -> bool:
        """Whether the server does not take these weights again."""
        return self.stone.kind == _PURGED

    @property
    def on_purpose(self) -> bool:
        """Whether somebody wanted the weights to be gone: who still has lost ones should keep them."""
        return self.stone.kind != _LOST


def told(stone: Tombstone) -> str:
    """`was expired on 2026-11-27 by NAME: REASON`."""
    day = datetime.fromtimestamp(stone.created / 1000, UTC).strftime("%Y-%m-%d")
    return f"was {stone.kind} on {day} by {stone.by}: {stone.reason}"


def taken_away(remote: RemoteStore, oids: Iterable[ObjectId]) -> dict[ObjectId, Tombstone]:
    """Those of these objects, none of which the server has, that it has a tombstone of."""
    asked = list(oids)
    found: dict[ObjectId, Tombstone] = {}
    for start in range(0, len(asked), protocol.MAX_MANIFESTS):
        batch = asked[start : start + protocol.MAX_MANIFESTS]
        try:
            reply = remote.connection.request(
                "POST",
                protocol.repository_path(remote.repository, "tombstones", "read"),
                asked=f"repository {remote.repository}",
                body=protocol.join_digests([oid.raw for oid in batch]),
                content_type=protocol.BINARY,
                most=protocol.MAX_LIST_BYTES,
            )
        except NotFound:
            return found
        wanted = {oid.hex: oid for oid in batch}  # of anything else that is told nothing is believed
        found |= {wanted[stone.oid]: stone for stone in reply.message(Tombstones).tombstones if stone.oid in wanted}
    return found


def to_send(store: LocalStore, remote: RemoteStore, oids: Sequence[ObjectId], progress: Progress) -> tuple[list[ObjectId], int]:
    """Those of these objects that a push must bring: the server does not have them, and did not take them away for good. What it
    let expire comes back where it is whole here. And how many were taken away, and stay so."""
    try:
        states, some_taken = remote.check_and_hear(oids)
    except NotFound:  # the first push makes the repository
        return list(oids), 0
    absent = [oid for oid in oids if states[oid] != protocol.STORED]
    stones = taken_away(remote, absent) if some_taken else {}
    left = [stone for oid, stone in stones.items() if stone.kind == _PURGED or not is_whole(store, oid)]
    if left:
        names = "; ".join(f"sha256:{stone.oid} {told(stone)}" for stone in left[:_NAMED])
        more = f" and {len(left) - _NAMED} more" if len(left) > _NAMED else ""
        progress.note(f"{remote.connection.host} has taken away weights, whose pointers travel without them: {names}{more}")
    gone = {stone.oid for stone in left}
    return [oid for oid in absent if oid.hex not in gone], len(left)


def is_whole(store: LocalStore, oid: ObjectId) -> bool:
    """Whether the store can rebuild this object; one whose manifest is damaged it cannot."""
    try:
        manifest = store.manifest(oid)
    except CorruptData:
        return False
    return manifest is not None and not store.missing(entry.chunk for entry in manifest.entries)
