"""Bases in other repositories that were fetched, remembered beside the packs: what `git add` and `git push` know of them offline."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from git_lepton.errors import CorruptData
from git_lepton.evidence.models import ForeignPath, foreign_path
from git_lepton.format.identifiers import ObjectId

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


_FILE = "bases.json"


def known_bases(store: Path) -> dict[ForeignPath, Sequence[ObjectId]]:
    """The objects of each base that was fetched into the store in this folder; none where that cannot be read."""
    try:
        rows = json.loads((store / _FILE).read_bytes())
        found = {foreign_path(name): [ObjectId.parse(oid) for oid in oids] for name, oids in rows.items()}
    except (OSError, ValueError, TypeError, AttributeError, CorruptData):
        return {}
    return {base: oids for base, oids in found.items() if base}
