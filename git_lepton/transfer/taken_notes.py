"""Notes of what servers have said they took away, kept beside the local store, so that `status` can tell it without asking anybody.

Notes of what was heard last, not the truth: weights that come back lose theirs when they are fetched. They may be lost at any time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from git_lepton.errors import LeptonError
from git_lepton.format.identifiers import ObjectId
from git_lepton.store.durable import make_folder, write_durably
from git_lepton.wire.messages import from_json, to_json
from git_lepton.wire.tombstones import Tombstone, Tombstones

_NAME = "taken-away.json"
_MOST = 10_000
_MOST_BYTES = 1 << 24


def read_notes(folder: Path) -> dict[ObjectId, Tombstone]:
    """The notes in this folder; none where they cannot be read."""
    with suppress(OSError, ValueError, RecursionError, LeptonError):
        with (folder / _NAME).open("rb") as file:
            stones = from_json(Tombstones, json.loads(file.read(_MOST_BYTES))).tombstones
        return {ObjectId(bytes.fromhex(stone.oid)): stone for stone in stones}
    return {}


def note(folder: Path, asked: Iterable[ObjectId], stones: Mapping[ObjectId, Tombstone]) -> None:
    """Of the objects that were asked for these were taken away, the others were not. Of very many the last ones are kept."""
    before = read_notes(folder)
    heard = {*asked}
    now = {oid: stone for oid, stone in before.items() if oid not in heard} | dict(stones)
    if now != before:
        text = json.dumps(to_json(Tombstones(list(now.values())[-_MOST:])))
        with suppress(OSError):  # a full or foreign disk stops no fetch for the sake of a note
            make_folder(folder)
            write_durably(folder / _NAME, text.encode())
