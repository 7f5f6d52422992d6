"""A moment in which no push of a repository is under way between its check and the end of its move.

A caretaker that unlinks objects needs one: what such a push was told is stored must still be there when its refs have moved.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lepton_server.database import Database
from lepton_server.ref_turns import hold_refs
from lepton_server.repositories import Repository
from lepton_server.settings import ServerSettings

_PATIENCE_SECONDS = 120.0


@contextmanager
def quiet_refs(database: Database, settings: ServerSettings, repository: Repository) -> Iterator[None]:
    """No ref of the repository moves while the block runs; pushes wait for its end, so it is short.
    Raises RefsBusy where pushes leave no moment for it."""
    with hold_refs(database, settings, repository.id, _PATIENCE_SECONDS):
        yield
