"""The refs and the git history of all hosted repositories, as rows of a snapshot: refs first, so that they name no weights that come later.

A row is {repository, name, refs, branch, bundles}: the repository's number and name, its refs (full name to object name), the branch
that HEAD names, and its bundles, oldest first, each a list of parts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass
from typing import Any

from sqlalchemy import select

from lepton_server.backup.git_bundles import Bundle
from lepton_server.backup.parts import PartWriter
from lepton_server.backup.snapshot import BadSnapshot, Part
from lepton_server.database.tables import repositories as repositories_table
from lepton_server.database.transactions import Database
from lepton_server.git.history import open_history
from lepton_server.git.ref_mirror import mirrored_refs
from lepton_server.repositories import registry
from lepton_server.repositories.registry import Repository
from lepton_server.settings import ServerSettings

COLUMNS = ["repository", "name", "refs", "branch", "bundles"]
_MOST_BUNDLES = 30  # of one repository; then its history is written whole again


@dataclass(frozen=True)
class Tips:
    """A hosted repository and its refs at one moment, the same for all."""

    repository: Repository
    refs: dict[str, str]


def tips(database: Database) -> list[Tips]:
    """Those of all hosted repositories, as the mirror has them now."""
    with database.read() as connection:
        hosted = select(repositories_table.c.id).where(repositories_table.c.kind == "hosted").order_by(repositories_table.c.id)
        found = [registry.by_id(connection, number) for number in connection.execute(hosted).scalars()]
        return [Tips(repository, mirrored_refs(connection, repository)) for repository in found]


def written(writer: PartWriter, settings: ServerSettings, tips: list[Tips], before: Mapping[int, Any]) -> Iterator[list[Any]]:
    """The rows of these, once their history is in the archive. `before` are those of the last snapshot, by repository.

    Raises HistoryAbsent, HistoryLost, GitFailed.
    """
    for tip in tips:
        repository = tip.repository
        old = before.get(repository.id)
        chain = bundles_of(old) if old else []
        known = set(old["refs"].values()) if old else set()
        if len(chain) >= _MOST_BUNDLES:
            chain, known = [], set()
        if set(tip.refs.values()) - known:
            git = open_history(settings, repository)
            chain = [*chain, writer.parts(Bundle(git, tip.refs, known).blocks())]
        bundles = [[astuple(part) for part in bundle] for bundle in chain]
        yield [repository.id, repository.full_name, tip.refs, repository.default_branch, bundles]


def bundles_of(row: Mapping[str, Any]) -> list[list[Part]]:
    """The bundles that a snapshot's listing names. Raises BadSnapshot."""
    try:
        return [[Part(*part) for part in bundle] for bundle in row["bundles"]]
    except (TypeError, KeyError):
        raise BadSnapshot("a list of bundles in this backup cannot be read") from None
