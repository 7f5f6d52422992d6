"""The mirror of hosted repositories' refs: what keeps weights alive, known without git's folders."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, delete, insert, select

from lepton_server.database.tables import refs
from lepton_server.repositories.registry import Repository


def replace_refs(connection: Connection, repository: Repository, found: Mapping[str, str]) -> None:
    """Make these (full ref name to hex object name) the refs of the repository."""
    connection.execute(delete(refs).where(refs.c.repository == repository.id))
    rows = [{"repository": repository.id, "name": name, "target": target} for name, target in found.items()]
    if rows:
        connection.execute(insert(refs), rows)


def mirrored_refs(connection: Connection, repository: Repository) -> dict[str, str]:
    query = select(refs.c.name, refs.c.target).where(refs.c.repository == repository.id)
    return {row.name: row.target for row in connection.execute(query)}
