"""Output of the maintenance commands: what each run says of itself."""

from __future__ import annotations

import json
from dataclasses import asdict

from git_lepton.errors import CorruptData
from lepton_server.maintenance.expire import Expired
from lepton_server.maintenance.gc import Collected
from lepton_server.maintenance.purge import Purged
from lepton_server.maintenance.repack import Repacked
from lepton_server.wording import told


class Damaged(CorruptData):
    """Weights in the store are damaged; repack left them where they are."""


def as_json(done: Repacked | Collected | Expired | Purged, dry_run: bool) -> str:
    return json.dumps({"dry_run": dry_run, **asdict(done)})


def as_text(done: Repacked, dry_run: bool) -> str:
    would = "would be " if dry_run else ""
    lines = [
        f"packs: {told(done.bytes_before)}, {would}{told(done.bytes_after)} now",
        f"{would}dropped: {done.dropped_chunks} chunks that nothing needs, {told(done.dropped_bytes)}",
        f"{would}coded anew, nearer to their base: {done.recoded_chunks} chunks",
        f"{would}written anew: {done.packs_read} packs, {told(done.moved_bytes)}, {done.moved_chunks} chunks",
        f"{would}deleted: {done.packs_deleted} packs, {told(done.bytes_deleted)}",
        f"to be deleted when the grace period is over: {told(done.condemned_bytes)}",
    ]
    return "\n".join(lines + [f"damaged: {problem}" for problem in done.damaged])


def collected_as_text(done: Collected, dry_run: bool) -> str:
    would = "would be " if dry_run else ""
    lines = [
        f"{would}unlinked: {done.objects_unlinked} files that no ref reaches, {told(done.object_bytes)}",
        f"{would}dropped: {done.dropped_chunks} chunks that nothing needs, {told(done.dropped_bytes)} in packs",
        f"{would}deleted: {done.packs_deleted} packs, {told(done.bytes_deleted)}, and {done.files_deleted} stray files",
    ]
    if done.repositories_gone or done.accounts_gone:
        deleted = f"{done.repositories_gone} repositories and {done.accounts_gone} accounts that were deleted long ago"
        lines.insert(0, f"{would}gone for good: {deleted}")
    lines += [f"kept all: {reason}" for reason in done.kept]
    lines += [f"left alone: {reason}" for reason in done.refused]
    return "\n".join(lines + [f"in doubt: {reason}" for reason in done.in_doubt])


def expired_as_text(done: Expired, dry_run: bool) -> str:
    would = "would be " if dry_run else ""
    return (
        f"{would}let go: the weights that only {done.versions} old versions have: {done.objects} files, {told(done.object_bytes)}\n"
        "the bytes go with the next runs of gc and repack; pointers stay, and say since when and why"
    )


def purged_as_text(done: Purged, dry_run: bool) -> str:
    would = "would be " if dry_run else ""
    lines = [
        f"{would}purged: {done.oid}, from {done.repositories} repositories; {done.shares} links that were given away end",
        f"{would}dropped: {done.dropped_chunks} chunks; {done.kept_chunks} also belong to other files and stay",
        f"{would}coded anew without them: {done.recoded_chunks} chunks of other files",
        f"{would}deleted: {done.packs_deleted} packs{'' if dry_run else f', {told(done.bytes_deleted)}'}",
    ]
    if dry_run:
        lines[1:1] = [f"held by: {name}" for name in done.held_by]
    return "\n".join(lines + [f"a backup may hold it still: {place}" for place in done.backups])


def check(done: Repacked) -> None:
    """Raises Damaged where the run met damaged weights."""
    if done.damaged:
        raise Damaged(
            f"{len(done.damaged)} damaged pieces of weights were left where they are",
            "Run lepton-server scrub: it says which files need them, and brings them back from a backup.",
        )
