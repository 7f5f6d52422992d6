"""Moves of refs, from which the decision about a push is made."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Way(Enum):
    """How a ref moves."""

    CREATE = "create"
    FORWARD = "move"
    FORCE = "force"  # elsewhere than forward; a tag that moves at all
    DELETE = "delete"

    @property
    def is_force(self) -> bool:
        return self in (Way.FORCE, Way.DELETE)


class Move(NamedTuple):
    """One ref (its full name) of a push. `commit` is what it will name, through tags; "" where that is no commit, or nothing."""

    ref: str
    way: Way
    commit: str
