"""Git on a host of its own, the store beside it, two people with a home each: README's steps as they stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.end_to_end.conftest import HERE
from tests.end_to_end.world import World
from tests.support.running_server import RunningServer
from tests.support.tiny_models import model

pytestmark = HERE

NAME = "model.safetensors"
FIRST, SECOND, THIRD = model(1, rows=400), model(2, rows=400), model(3, rows=400)
README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")


class Person(World):
    """Somebody with a machine of their own: a home, a name, a token, and nothing of git-lepton set up."""

    def __init__(self, name: str, folder: Path, server: RunningServer, token: str) -> None:
        home, place = folder / f"home-of-{name}", folder / name
        home.mkdir()
        place.mkdir()
        super().__init__(place, home)
        self.address, self.host, self.token = server.url, server.url.removeprefix("http://"), token
        self.git(place, "config", "--global", "credential.helper", "store")

    def steps(self, origin: str, store: str) -> list[str]:
        """README's lines, with the addresses of this test; the token is typed in."""
        block = re.search(r"<!-- elsewhere -->\s+(.*?)\s+<!-- /elsewhere -->", README, re.DOTALL)
        assert block
        addresses = {
            "https://git.example.org/team/models.git": origin,
            "login lepton.example.org": f"login {self.address} --token-stdin",
            "lepton.example.org/team/models": f"{self.host}/{store}",
        }
        text = block[1]
        for written, meant in addresses.items():
            text = text.replace(written, meant)
        return [line.strip() for line in text.splitlines()]

    def does(self, line: str, folder: Path) -> None:
        self.run(["sh", "-c", line], folder, stdin=self.token.encode())


class Team:
    """Ada and Ben write to one external repository of the server; git is a bare repository elsewhere, where Ada's first version is."""

    def __init__(self, folder: Path, server: RunningServer) -> None:
        number = abs(hash(folder)) % 10**9
        names = {name: f"{name}{number}" for name in ("team", "ada", "ben")}
        tokens = {name: server.make_user(account) for name, account in names.items()}
        self.store = f"{names['team']}/models"
        server.run("repo", "create", self.store, "--external")
        for name in ("ada", "ben"):
            server.grant(names[name], "writer", self.store)
        self.ada, self.ben = (Person(name, folder, server, tokens[name]) for name in ("ada", "ben"))
        self.origin = (folder / "host/models.git").as_uri()
        self.ada.git(folder, "init", "-q", "--bare", "-b", "main", str(folder / "host/models.git"))
        for line in self.ada.steps(self.origin, self.store)[:3]:
            self.ada.does(line, self.ada.folder)
        self.ada.git(self.ada.folder, "clone", "-q", self.origin, "models")
        place = self.ada.folder / "models"
        self.ada.git(place, "lepton", "track", "*.safetensors")
        (place / "lepton.toml").write_text(f'[store]\nurl = "{server.url}/{self.store}"\n')
        self.ada.git(place, "add", ".")
        self.ada.commit(place, NAME, FIRST)
        self.ada.git(place, "push", "-q", "origin", "HEAD")


@pytest.fixture
def team(tmp_path: Path, clean_environment: Path, server: RunningServer) -> Team:
    return Team(tmp_path, server)


def test_readme_word_for_word(team: Team) -> None:
    ada, ben = team.ada, team.ben
    *before, clone, change = ben.steps(team.origin, team.store)
    for line in (*before, clone):
        ben.does(line, ben.folder)
    place = ben.folder / "models"
    assert (place / NAME).read_bytes() == FIRST
    (place / NAME).write_bytes(SECOND)
    ben.does(change, place)
    ada.git(ada.folder / "models", "pull", "-q")
    assert (ada.folder / "models" / NAME).read_bytes() == SECOND
    ada.clean(ada.folder / "models")


@pytest.mark.thorough
def test_who_trusts_the_store_only_after_the_clone_pushes_all_the_same(team: Team) -> None:
    ada, ben = team.ada, team.ben
    install, login, trust, clone, change = ben.steps(team.origin, team.store)
    for line in (install, clone, login):
        ben.does(line, ben.folder)
    place = ben.folder / "models"
    assert (place / NAME).read_bytes().startswith(b"version git-lepton/v1")
    ben.does(trust, place)
    ben.git(place, "lepton", "pull")
    assert (place / NAME).read_bytes() == FIRST
    (place / NAME).write_bytes(THIRD)
    ben.does(change, place)
    ada.git(ada.folder / "models", "pull", "-q")
    assert (ada.folder / "models" / NAME).read_bytes() == THIRD
