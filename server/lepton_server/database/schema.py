"""The schema of a database, read and brought to the one of this program: Alembic's steps, in one transaction, by one process.

A newer server may have brought it further. Each step says which programs may still run on what it leaves (`schema.oldest`), so that
the last version and the next serve side by side while a team upgrades: first expand, an upgrade later contract.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, delete, insert, inspect, select, text

from git_lepton.errors import WrongUse
from lepton_server.database.tables import SCHEMA_VERSION, schema

if TYPE_CHECKING:
    from alembic.config import Config

_OLDEST_PROGRAM = 4  # that may use the newest schema
_BASELINE = 3


class NewerSchema(WrongUse):
    """The data were written by a newer server."""


def is_usable(connection: Connection) -> bool:
    """Whether this program can use the database as it is. Raises NewerSchema where it never can."""
    version = version_of(connection)
    if version is None or version < SCHEMA_VERSION:
        return False
    _check_newer(connection, version)
    return True


def bring_up_to_date(connection: Connection) -> None:
    """The caller's transaction keeps all others out. Raises NewerSchema."""
    if is_usable(connection):  # another process was quicker
        return
    before = version_of(connection)
    from alembic import command  # takes 0.2 s, and most starts find nothing to do

    if before is not None and before <= _BASELINE:
        _adopt(connection, before)
    command.upgrade(_alembic(connection), "head")
    connection.execute(delete(schema))
    connection.execute(insert(schema).values(version=SCHEMA_VERSION, oldest=_OLDEST_PROGRAM))


def version_of(connection: Connection) -> int | None:
    """The schema that a database has; None for an empty one."""
    if not inspect(connection).has_table("schema"):
        return None
    found: int | None = connection.execute(select(schema.c.version)).scalar_one_or_none()
    return found


def _check_newer(connection: Connection, version: int) -> None:
    if version == SCHEMA_VERSION:
        return
    oldest = connection.execute(select(schema.c.oldest)).scalar_one()
    if oldest is None or oldest > SCHEMA_VERSION:
        raise NewerSchema(
            f"these data have schema version {version}; this lepton-server knows {SCHEMA_VERSION}",
            "Start the newer lepton-server that wrote them.",
        )


def _adopt(connection: Connection, version: int) -> None:
    """A database from before there were migrations: brought to the baseline, and marked so that Alembic goes on from there."""
    from alembic import command
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    from lepton_server.database.migrations.versions import v0003_baseline as baseline

    if version < _BASELINE:
        for table in ("former_places", "stray_files"):
            connection.execute(text(f"DROP TABLE IF EXISTS {table}"))  # plans that were made are asked for anew
        connection.execute(text("DROP INDEX IF EXISTS encodings_on_base"))
        with Operations.context(MigrationContext.configure(connection)):
            baseline.places_of_deltas()
    command.stamp(_alembic(connection), f"{_BASELINE:04}")


def _alembic(connection: Connection) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
