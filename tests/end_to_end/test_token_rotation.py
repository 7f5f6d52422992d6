"""A token that is replaced, and then revoked, while its push is under way: the push goes on with the new one and ends well."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any

import httpx
import pytest

from lepton_server import backends
from lepton_server.admin import provisioning
from lepton_server.identity import accounts, tokens
from lepton_server.repositories import naming
from tests.end_to_end.world import World
from tests.support.faulty_proxy import Fault, FaultyProxy
from tests.support.running_server import RunningServer

pytestmark = pytest.mark.thorough

SIZE = 3_000_000


def keep(world: World, file: Path, token: str) -> None:
    """What git's credential helper answers from now on."""
    file.write_text(token)
    helper = f"!f() {{ test $1 = get && echo username=ci && echo password=$(cat {shlex.quote(str(file))}); }}; f"
    world.git(world.folder, "config", "--global", "credential.helper", helper)


def ask(server: RunningServer, token: str, method: str, path: str, **options: Any) -> httpx.Response:
    return httpx.request(method, f"{server.url}/api/v1{path}", headers={"Authorization": f"Bearer {token}"}, **options)


def robot_token(server: RunningServer, name: str) -> str:
    """A robot that may write to a new repository; a token for that one only."""
    provisioning.create_repository(server.settings, name, "hosted")
    with backends.changes(server.settings) as connection:
        robot = accounts.ensure_account(connection, "ci", kind="robot")
    provisioning.grant(server.settings, "ci", "writer", name)
    with backends.changes(server.settings) as connection:
        place = naming.known_repository(connection, name)
        return tokens.create_token(
            connection, robot, "push", scopes=frozenset({"read", "write"}), limited_to={place.id: place.full_name}
        )


def revoke(server: RunningServer, token: str) -> int:
    """As `lepton-server token revoke` does; the token's number."""
    with backends.changes(server.settings) as connection:
        found = tokens.caller_with(connection, token)
        assert found is not None and found[0].token is not None
        row = tokens.by_id(connection, found[0].token)
        assert row is not None
        tokens.revoke(connection, accounts.operator(), row)
        return row.id


class Replaced:
    """Replaces the token of a push when its first pack is about to go; the old one is good for a while longer, or is
    revoked at once."""

    def __init__(self, world: World, server: RunningServer, file: Path, old: str) -> None:
        self.world, self.server, self.file, self.old = world, server, file, old
        self.revokes = False
        self.made: list[dict[str, Any]] = []
        for variable in ("GIT_LEPTON_TOKEN", "GIT_LEPTON_HOST"):
            del world.environment[variable]
        keep(world, file, old)

    def __call__(self) -> None:
        assert ask(self.server, self.old, "GET", "/tokens").status_code == 403  # a limited token changes nothing but itself
        with backends.changes(self.server.settings) as connection:
            found = tokens.caller_with(connection, self.old)
        assert found is not None
        path = f"/tokens/{found[0].token}/rotate"
        self.made.append(ask(self.server, self.old, "POST", path, json={"overlap_seconds": 600}).json())
        assert ask(self.server, self.old, "GET", "/account").status_code == 200  # both are good for ten minutes
        keep(self.world, self.file, self.made[0]["token"])
        if self.revokes:
            revoke(self.server, self.old)


@pytest.mark.parametrize("revokes", [False, True])
def test_a_push_outlives_its_token(world: World, server: RunningServer, url: str, tmp_path: Path, revokes: bool) -> None:
    """Within the overlap all of it goes on. A token that is revoked ends git's own part, which asks for a credential once; the
    weights go on with the new one."""
    name = "/".join(url.split("/")[-2:])
    replaced = Replaced(world, server, tmp_path / "token", robot_token(server, name))
    replaced.revokes = revokes
    data = os.urandom(SIZE)
    with FaultyProxy(server.url, [Fault(path="/uploads/[^/]+/packs$", method="POST", then=replaced)]) as proxy:
        work = world.repository(remote=f"lepton::{proxy.url}/{name}")
        world.commit(work, "model.safetensors", data)
        if revokes:
            world.git(work, "lepton", "push", "origin")
        world.git(work, "push", "-q", "origin", "main")
    assert len(replaced.made) == 1
    if not revokes:
        revoke(server, replaced.old)
    assert ask(server, replaced.old, "GET", "/account").status_code == 401
    made = replaced.made[0]["info"]
    assert (made["scopes"], made["repositories"]) == (["read", "write"], [name])
    world.git(world.folder, "clone", "-q", f"lepton::{server.url}/{name}", "clone")
    assert (world.folder / "clone" / "model.safetensors").read_bytes() == data
