"""Two people, one repository: locks and links as they are typed, with real git and real weights."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path

import pytest

from tests.end_to_end.conftest import EMBEDDED_AND_TEAM
from tests.end_to_end.world import World
from tests.support.running_server import RunningServer

pytestmark = EMBEDDED_AND_TEAM


class Team:
    """The admin's work tree with two models, and a clone of Bob's, who may write."""

    def __init__(self, world: World, server: RunningServer, bob: str, name: str) -> None:
        self.world, self.server = world, server
        self.repository = f"admin/{name}"
        self.mine = world.repository("mine", remote=world.url(self.repository))
        self.models = {name: os.urandom(400_000) for name in ("a.safetensors", "nested/b.safetensors")}
        world.commit_files(self.mine, self.models)
        world.git(self.mine, "push", "-q", "origin", "main")
        server.grant("bob", "writer", self.repository)
        self.bob = {"GIT_LEPTON_TOKEN": bob}
        world.git(world.folder, "clone", "-q", world.url(self.repository), "theirs", extra=self.bob)
        self.theirs = world.folder / "theirs"

    def lepton(self, place: Path, *arguments: str, fails: bool = False, by_bob: bool = False) -> tuple[str, str]:
        """What this command of ours printed and said."""
        command = ["git", "lepton", *arguments]
        done = self.world.run(command, place, fails=fails, extra=self.bob if by_bob else None)
        return done.stdout.decode(), done.stderr.decode()


@pytest.fixture(scope="module")
def team(server: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Team:
    """One for both tests: what is locked and what is shared are not in each other's way."""
    (home := tmp_path_factory.mktemp("team") / "home").mkdir()
    return Team(World(home.parent, home, server), server, server.make_user("bob"), "models")


def exit_code(team: Team, *arguments: str, extra: dict[str, str] | None = None) -> int:
    return team.world.run(["git", "lepton", *arguments], team.mine, fails=True, extra=extra).returncode


def test_a_locked_model_refuses_anothers_push(team: Team) -> None:
    world = team.world
    assert "nested/b.safetensors is locked by you" in team.lepton(team.mine / "nested", "lock", "b.safetensors")[1]
    assert re.match(r"nested/b\.safetensors  admin  since 20", team.lepton(team.theirs, "locks", by_bob=True)[0])
    assert json.loads(team.lepton(team.mine, "locks", "--json")[0])[0]["own"] is True

    words = team.lepton(team.theirs, "lock", "nested/b.safetensors", by_bob=True, fails=True)[1]
    assert "admin has locked nested/b.safetensors" in words
    words = team.lepton(team.theirs, "unlock", "nested/b.safetensors", by_bob=True, fails=True)[1]
    assert "The lock of nested/b.safetensors is admin's" in words
    assert exit_code(team, "lock", "nested/b.safetensors", extra=team.bob) == 6
    assert "nobody has locked a.safetensors" in team.lepton(team.theirs, "unlock", "a.safetensors", by_bob=True, fails=True)[1]
    assert "no path in this repository" in team.lepton(team.theirs, "lock", "../elsewhere", by_bob=True, fails=True)[1]

    words = team.lepton(team.mine, "lock", "*.safetensors", fails=True)[1]
    assert "*.safetensors is a pattern, and no file is called so" in words and "git lepton lock a.safetensors\n" in words
    assert "new.bin is locked by you; git tracks no such file yet" in team.lepton(team.mine, "lock", "new.bin")[1]
    team.lepton(team.mine, "unlock", "new.bin")

    world.commit(team.theirs, "nested/b.safetensors", b"bob's version" * 1000)
    assert "nested/b.safetensors is locked by admin since" in world.git(
        team.theirs, "push", "origin", "main", fails=True, extra=team.bob
    )
    team.lepton(team.mine, "unlock", "nested/b.safetensors")
    assert team.lepton(team.mine, "locks") == ("", "")
    team.lepton(team.theirs, "lock", "a.safetensors", by_bob=True)
    words = team.lepton(team.mine, "unlock", "--force", "a.safetensors")[1]
    assert "a.safetensors is no longer locked; it was by bob" in words
    world.git(team.theirs, "push", "-q", "origin", "main", extra=team.bob)


def test_a_link_brings_weights_to_who_has_nothing(team: Team, tmp_path: Path) -> None:
    world = team.world
    link, words = team.lepton(team.mine, "share", "main:nested", "--expires", "2h", "--max-downloads", "3")
    assert "1 file, 400 kB" in words
    nobody = {"GIT_LEPTON_TOKEN": "", "GIT_LEPTON_HOST": ""}
    target = tmp_path / "target"
    done = world.run(["git-lepton", "download", link.strip(), "--to", str(target), "--json"], tmp_path, extra=nobody)
    arrived = json.loads(done.stdout)
    assert (arrived["commit"], arrived["brought"]) == ("main:nested", ["nested/b.safetensors"])
    assert (target / "nested/b.safetensors").read_bytes() == team.models["nested/b.safetensors"]
    assert not (target / ".git-lepton-partial").exists()
    again = world.run(["git-lepton", "download", link.strip(), "--to", str(target), "--json"], tmp_path, extra=nobody)
    assert json.loads(again.stdout)["kept"] == ["nested/b.safetensors"]

    listed = json.loads(team.lepton(team.mine, "share", "--list", "--json")[0])
    assert (listed[0]["downloads"], listed[0]["max_downloads"]) == (1, 3)
    assert re.search(
        r"main:nested  by admin  1 file  1 download \(at most 3 of each\)  until 20", team.lepton(team.mine, "share", "--list")[0]
    )
    team.lepton(team.mine, "share", "--revoke", str(listed[0]["id"]))
    over = world.run(
        ["git-lepton", "download", link.strip(), "--to", str(tmp_path / "other")], tmp_path, fails=True, extra=nobody
    )
    assert over.returncode == 6
    assert b"There is nothing at this link" in over.stderr

    _goes_on_where_it_broke_off(team, tmp_path / "again")
    _says_what_cannot_be_shared(team)


def _goes_on_where_it_broke_off(team: Team, tmp_path: Path) -> None:
    world = team.world
    link = team.lepton(team.mine, "share", "main:")[0].strip()  # one with a limit lets only go on what began by it
    data = team.models["a.safetensors"]
    partial = tmp_path / "target" / ".git-lepton-partial"
    partial.mkdir(parents=True)
    (partial / hashlib.sha256(data).hexdigest()).write_bytes(data[:123_456])
    done = world.run(["git-lepton", "download", link, "a.safetensors", "--to", str(tmp_path / "target"), "--json"], tmp_path)
    assert json.loads(done.stdout)["bytes_received"] == len(data) - 123_456
    assert (tmp_path / "target" / "a.safetensors").read_bytes() == data
    assert json.loads(team.lepton(team.mine, "share", "--list", "--json")[0])[0]["downloads"] == 0

    (partial).mkdir()
    (partial / hashlib.sha256(data).hexdigest()).write_bytes(b"x" * 123_456)
    (tmp_path / "target" / "a.safetensors").unlink()
    wrong = world.run(["git-lepton", "download", link, "a.safetensors", "--to", str(tmp_path / "target")], tmp_path, fails=True)
    assert wrong.returncode == 7
    assert not (tmp_path / "target" / "a.safetensors").exists()
    world.run(["git-lepton", "download", link, "--to", str(tmp_path / "target")], tmp_path)
    assert (tmp_path / "target" / "a.safetensors").read_bytes() == data


def _says_what_cannot_be_shared(team: Team) -> None:
    world = team.world
    for arguments, words in (
        (("no-such-branch:a.safetensors",), "there is no revision no-such-branch\n"),
        ((":a.safetensors",), "is not REV:PATH"),
        (("main:", "--max-downloads", "0"), "A share allows at least one download."),
        (("--revoke", "99"), f"There is no share 99 in {team.repository}."),
        (("main:nothing.safetensors",), "there are no weights at nothing.safetensors in main"),
        (("main:", "--expires", "soon"), "is no time of at most a year"),
        ((), "name one version, or --list, or --revoke ID"),
    ):
        assert words in team.lepton(team.mine, "share", *arguments, fails=True)[1]
    assert exit_code(team, "share", "main:", "--max-downloads", "0") == 2
    world.commit(team.mine, "new.safetensors", os.urandom(1000))
    words = team.lepton(team.mine, "share", "HEAD:new.safetensors", fails=True)[1]
    assert "The weights of new.safetensors are not stored in" in words
    assert "git lepton push" in words
