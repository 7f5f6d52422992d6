"""Several servers that are one: over one database, one storage and one folder of git repositories, behind a balancer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.backends import Place
from tests.support.balancer import Balancer
from tests.support.running_server import RunningServer


class Cluster:
    """`url` is the balancer's; `servers` may be killed and restarted one by one."""

    def __init__(self, folder: Path, place: Place, count: int, options: Sequence[str] = ()) -> None:
        self.place = replace(place, git=folder / "git")
        self.servers: list[RunningServer] = []
        token = ""
        for number in range(count):
            home = folder / f"server-{number}"
            home.mkdir(parents=True)
            server = RunningServer(home, options, place=self.place, admin_token=token)
            self.servers.append(server)
            token = server.admin_token
        self.admin_token = token
        self._balancer = Balancer([server.url for server in self.servers])
        self.url = self._balancer.url

    def logs(self) -> str:
        return "\n".join(server.log.read_text() for server in self.servers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for server in self.servers:
            server.__exit__(kind, error, trace)
        self._balancer.close()
