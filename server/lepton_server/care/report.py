"""What a run of repack says of itself."""

from __future__ import annotations

import json
from dataclasses import asdict

from git_lepton.errors import CorruptData
from lepton_server.care.repacking import Repacked

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


class Damaged(CorruptData):
    """Weights in the store are damaged; repack left them where they are."""


def as_json(done: Repacked, dry_run: bool) -> str:
    return json.dumps({"dry_run": dry_run, **asdict(done)})


def as_text(done: Repacked, dry_run: bool) -> str:
    would = "would be " if dry_run else ""
    lines = [
        f"packs: {_size(done.bytes_before)}, {would}{_size(done.bytes_after)} now",
        f"{would}dropped: {done.dropped_chunks} chunks that nothing needs, {_size(done.dropped_bytes)}",
        f"{would}coded anew, nearer to their base: {done.recoded_chunks} chunks",
        f"{would}written anew: {done.packs_read} packs, {_size(done.moved_bytes)}, {done.moved_chunks} chunks",
        f"{would}deleted: {done.packs_deleted} packs, {_size(done.bytes_deleted)}, and {done.files_deleted} stray files",
        f"to be deleted when the grace period is over: {_size(done.condemned_bytes)}",
    ]
    return "\n".join(lines + [f"damaged: {problem}" for problem in done.damaged])


def check(done: Repacked) -> None:
    """Raises Damaged where the run met damaged weights."""
    if done.damaged:
        raise Damaged(
            f"{len(done.damaged)} damaged pieces of weights were left where they are",
            "Bring the packs back from a backup; people who have the weights can push them again.",
        )


def _size(count: float) -> str:
    for unit in _UNITS:
        if count < 1024 or unit == _UNITS[-1]:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1024
    raise AssertionError("the last unit takes all")
