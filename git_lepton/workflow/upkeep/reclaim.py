"""Keeps weights that nothing refers to from filling the disk.

While a trainer rewrites a checkpoint, each `git status` of an editor adds another version of it to the local store: `git add`,
`status` and `diff` all ask us to clean, and an answer is given only for what is stored. Such versions are *unreferenced*: not
named by a ref, an index, a stash, a reflog or a worktree. This is how many of them may stay:

- up to `limit` bytes of them: by default twice the largest object, at least 1 GiB;
- above it the longest unused go first, until the rest fits;
- whatever was added or asked for in the last five minutes stays, and so does all that living processes added: git names what
  `git add` stored in its index only when it ends. So the store may exceed the limit by what is added in five minutes.

The test before it is cheap: how much the store grew since the last survey, which a small file beside the packs tells. There is
at most one survey a minute.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from git_lepton.store.chunk_store import Pruned, StoreBusy, disk_errors
from git_lepton.store.durable import write_durably

if TYPE_CHECKING:
    from git_lepton.format.identifiers import ObjectId
    from git_lepton.store.local_store import LocalStore

LEAST_LIMIT = 1024**3
SPARED_S = 300.0
PAUSE_S = 60.0
_FILE = "survey.json"


@dataclass(frozen=True)
class _Survey:
    """What was found the last time: bytes in the store, of which `unreferenced`, and the size of the largest object;
    when (seconds since 1970)."""

    stored: int = 0
    unreferenced: int = 0
    largest: int = 0
    taken_at: float = 0.0


def reclaim(
    store: LocalStore,
    referenced: Callable[[], set[ObjectId]],
    limit: int | None = None,
    *,
    spared_s: float = SPARED_S,
    pause_s: float = PAUSE_S,
) -> Pruned | None:
    """Prune unreferenced objects if they may be more than `limit` bytes. Gives None if there was no need to look closely, or if
    others are storing weights just now. `referenced` names what refs, indexes, stashes, reflogs and worktrees name; it is called
    only when it is needed."""
    survey = _read(store.root / _FILE)
    suspected = survey.unreferenced + max(0, store.usage().stored_bytes - survey.stored)
    if suspected <= _room(limit, survey.largest) or abs(time.time() - survey.taken_at) < pause_s:
        return None
    keep = referenced()
    candidates = store.unreferenced(keep)
    largest = max((manifest.size for manifest in store.manifests()), default=0)
    room, spared = _room(limit, largest), set()
    for candidate in reversed(candidates):  # those used last first
        room -= candidate.own_bytes
        if room >= 0:
            spared.add(candidate.oid)
    try:
        pruned = store.prune(keep | spared, older_than_s=spared_s) if room < 0 else Pruned(0, 0)
    except StoreBusy:
        return None
    left = sum(candidate.own_bytes for candidate in store.unreferenced(keep))
    with disk_errors(store.root):
        write_durably(store.root / _FILE, _encode(_Survey(store.usage().stored_bytes, left, largest, time.time())))
    return pruned


def _room(limit: int | None, largest: int) -> int:
    return max(LEAST_LIMIT, 2 * largest) if limit is None else limit


def _encode(survey: _Survey) -> bytes:
    return json.dumps(asdict(survey)).encode() + b"\n"


def _read(path: Path) -> _Survey:
    """A survey that is not there or cannot be understood is the survey of an empty store: the next look is a close one."""
    try:
        values = json.loads(path.read_bytes())
        return _Survey(values["stored"] + 0, values["unreferenced"] + 0, values["largest"] + 0, values["taken_at"] + 0.0)
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return _Survey()
