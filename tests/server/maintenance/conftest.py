"""The server of this folder's tests, and repack beside it: in the test's own process, which is not the server's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Select, delete, select, update

from lepton_server.admin import maintenance
from lepton_server.backends import open_database, open_store
from lepton_server.database.tables import encodings, leases, object_links, packs, uploads
from lepton_server.database.transactions import Database
from lepton_server.maintenance.gc import Collected
from lepton_server.maintenance.repack import Repacked
from lepton_server.settings import ServerSettings
from tests.server.conftest import connect, noise, place, server, settings
from tests.server.weights_client import Weights, WeightsClient
from tests.support.running_server import RunningServer

__all__ = ["connect", "noise", "place", "server", "settings"]


@dataclass
class Keeper:
    """Takes care of one repository of a running server, and looks into its database."""

    settings: ServerSettings
    repository: str
    database: Database

    @property
    def data(self) -> Path:
        return self.settings.data

    def repack(self, grace: float = 0.0, *, dry_run: bool = False) -> Repacked:
        return maintenance.repack(self.settings, self.repository, grace, dry_run=dry_run)

    def gc(self, grace: float = 0.0, *, dry_run: bool = False) -> Collected:
        return maintenance.gc(self.settings, self.repository, grace, dry_run=dry_run)

    def end_sessions(self) -> None:
        """As if an hour had gone by: no upload lives, and no lease."""
        with self.database.write() as connection:
            connection.execute(update(uploads).values(expires=0))

    def unlink(self, file: Weights) -> None:
        """Nobody needs this file any more, in any repository."""
        with self.database.write() as connection:
            connection.execute(delete(object_links).where(object_links.c.oid == file.oid.raw))

    def depths(self, *files: Weights) -> dict[bytes, int]:
        names = {name for file in files for name in file.names}
        return dict(self.rows(select(encodings.c.chunk, encodings.c.depth).where(encodings.c.chunk.in_(names))))

    def packs_of(self, *files: Weights) -> set[int]:
        names = {name for file in files for name in file.names}
        return {pack for (pack,) in self.rows(select(encodings.c.pack).where(encodings.c.chunk.in_(names)))}

    def pack_files(self) -> set[str]:
        return set(open_store(self.settings, self.database, "looking").keys())

    def rows(self, query: Select) -> list[tuple]:  # type: ignore[type-arg]
        with self.database.read() as connection:
            return [tuple(row) for row in connection.execute(query)]

    def check_whole(self) -> None:
        """Every row points to a file that is there, and every chain is as deep as it says and ends."""
        keys = {key for (key,) in self.rows(select(packs.c.storage_key))}
        assert keys <= self.pack_files()
        rows = self.rows(select(encodings.c.tenant, encodings.c.chunk, encodings.c.base, encodings.c.depth))
        found = {(tenant, chunk): (base, depth) for tenant, chunk, base, depth in rows}
        for (tenant, _), (base, depth) in found.items():
            assert depth == (found[tenant, base][1] + 1 if base else 0) <= 3


@pytest.fixture
def keep(server: RunningServer) -> object:
    """Makes keepers: `keep(client)` is that of the client's repository."""
    database = open_database(server.settings)

    def make(client: WeightsClient) -> Keeper:
        return Keeper(server.settings, client.name, database)

    yield make
    database.close()


Keep = Callable[[WeightsClient], Keeper]
__all__ += ["Keep", "Keeper", "leases"]
