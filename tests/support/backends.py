"""On which database and which storage a server of a test runs: SQLite or PostgreSQL, a disk or an S3.

The PostgreSQL and the S3 of a test process are started when the first test wants them; each server gets a database and a bucket of its own.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from lepton_server.settings import S3Settings, ServerSettings
from tests.support.postgres import Postgres
from tests.support.s3_servers import CEPH, S3Server, running_ceph, running_moto
from tests.support.tiers import PLACES

DATABASES = ("sqlite-disk", "postgres-disk")
"""For tests of what a database may do otherwise, whatever the storage."""
CHOICE = "GIT_LEPTON_TEST_BACKENDS"
_REGION = "us-east-1"


@dataclass(frozen=True)
class Place:
    """Where one server, or several that are one, keeps its data: what `lepton-server` is told of it. All empty: in its own folder."""

    database: str = ""
    storage: str = ""
    s3_endpoint: str = ""
    git: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def options(self) -> list[str]:
        told = {"--database": self.database, "--storage": self.storage, "--s3-endpoint": self.s3_endpoint}
        told["--git"] = str(self.git or "")
        told["--s3-region"] = _REGION if self.s3_endpoint else ""
        return [word for name, value in told.items() if value for word in (name, value)]

    def settings(self, data: Path) -> ServerSettings:
        s3 = S3Settings(self.s3_endpoint, region=_REGION) if self.s3_endpoint else S3Settings()
        return ServerSettings(data, database=self.database, storage=self.storage, git=self.git, s3=s3)


class Backends:
    """Makes places. `close` ends what was started for them. `postgres_memory` is what PostgreSQL keeps tables in."""

    def __init__(self, postgres_memory: str = "64MB") -> None:
        self._postgres_memory = postgres_memory
        self._running = ExitStack()
        self._postgres: Postgres | None = None
        self._s3: dict[str, S3Server] = {}

    def place(self, name: str) -> Place:
        """A new one of the kind `name`, that no server has used."""
        database, _, storage = name.partition("-")
        assert name in PLACES, name
        place = Place(self.postgres.new_database() if database == "postgres" else "")
        if storage == "disk":
            return place
        s3 = self._server(storage)
        storage = f"s3://{s3.make_bucket()}/packs"
        return replace(place, storage=storage, s3_endpoint=s3.endpoint, environment=s3.environment())

    @property
    def postgres(self) -> Postgres:
        """The one that all places of this process are on."""
        if self._postgres is None:
            self._postgres = self._running.enter_context(Postgres(self._postgres_memory))
        return self._postgres

    def _server(self, kind: str) -> S3Server:
        if kind not in self._s3:
            folder = Path(tempfile.mkdtemp(prefix="lepton-s3-"))
            self._running.callback(shutil.rmtree, folder, ignore_errors=True)
            self._s3[kind] = self._running.enter_context((running_ceph if kind == "ceph" else running_moto)(folder))
            for name, value in self._s3[kind].environment().items():  # for what a test does to the data in its own process
                os.environ[name] = value if kind == "ceph" else os.environ.get(name, value)  # moto takes any key
        return self._s3[kind]

    def close(self) -> None:
        self._running.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def chosen() -> list[str]:
    """The kinds of places on which the end-to-end tests run: those of the environment variable, else an embedded server's, a team's and,
    where there is a Ceph to start, a team's on that."""
    told = os.environ.get(CHOICE, "")
    if told:
        return [name for name in told.split(",") if name]
    return ["sqlite-disk", "postgres-moto", *(["postgres-ceph"] if CEPH else [])]


def chosen_on_s3() -> list[str]:
    """Those of them where clients can be sent to the storage itself."""
    return [name for name in chosen() if not name.endswith("-disk")] or ["postgres-moto"]
