"""The jobs of docs/continuous-integration.md, run as they stand: only the host's name is another."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.end_to_end.world import World
from tests.support.running_server import RunningServer

PAGE = (Path(__file__).parents[2] / "docs" / "continuous-integration.md").read_text("utf-8")
HOST = "lepton.example.com"
GITLAB, GITHUB = (yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL))


@pytest.fixture
def kind() -> str:
    return "hosted"


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory, kind: str) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("server")) as running:
        running.run("repo", "create", "team/models", *(["--external"] if kind == "external" else []))
        yield running


@pytest.fixture
def author(server: RunningServer, tmp_path: Path, clean_environment: Path) -> World:
    """Somebody with a model, in a repository of his own."""
    world = World(tmp_path, clean_environment, server)
    world.run(["git", "lepton", "install"])
    world.run(["git", "init", "--quiet", "work"])
    world.run(["git", "lepton", "track", "*.bin"], tmp_path / "work")
    (tmp_path / "work" / "model.bin").write_bytes(os.urandom(200_000))
    return world


@pytest.fixture
def robot(server: RunningServer, author: World, tmp_path: Path) -> World:
    """The machine of a job, with the token that the page makes."""
    home = tmp_path / "runner"
    home.mkdir()
    world = World(home, home, server)
    for line in re.findall(r"^    lepton-server (.*) --data DIR$", PAGE, re.MULTILINE)[:2]:
        server.run(*line.split())
    token = re.search(r"^    lepton-server (token create .*) --data DIR$", PAGE, re.MULTILINE)
    assert token
    world.environment["GIT_LEPTON_TOKEN"] = server.run(*token[1].split())
    return world


def there(server: RunningServer, line: str) -> str:
    """A line of a job, on this server."""
    line = line.replace(f"https://{HOST}", server.url).replace(HOST, server.url.removeprefix("http://"))
    return re.sub(r"pip install git-lepton( && )?", "true\\1", line)


def commit(world: World, folder: Path) -> str:
    world.run(["git", "add", "--all"], folder)
    world.run(["git", "commit", "--quiet", "-m", "a model"], folder)
    return world.run(["git", "rev-parse", "HEAD"], folder).stdout.decode().strip()


def test_the_job_of_a_hosted_repository(server: RunningServer, author: World, robot: World, tmp_path: Path) -> None:
    commit(author, tmp_path / "work")
    author.run(["git", "push", "--quiet", author.url("team/models"), "HEAD:main"], tmp_path / "work")
    (tmp_path / "work" / "model.bin").write_bytes(os.urandom(200_000))
    tried = commit(author, tmp_path / "work")
    author.run(["git", "push", "--quiet", author.url("team/models"), "HEAD:trial"], tmp_path / "work")
    robot.environment["BRANCH"] = "trial"
    script = "\n".join(["set -e", *(there(server, line) for line in GITLAB["eval"]["script"])])
    told = robot.run(["sh", "-c", script]).stdout.decode()
    assert (robot.folder / "models" / "model.bin").read_bytes() == (tmp_path / "work" / "model.bin").read_bytes()
    assert "1 of 1 object can be restored" in told
    assert "eval  passed  by ci" in told
    assert robot.run(["git", "rev-parse", "HEAD"], robot.folder / "models").stdout.decode().strip() == tried
    (robot.folder / "models" / "model.bin").write_bytes(os.urandom(100))
    commit(robot, robot.folder / "models")
    assert b"lacks the scope write" in robot.run(["git", "push"], robot.folder / "models", fails=True).stderr


@pytest.mark.parametrize("kind", ["external"])
def test_the_job_of_a_repository_that_is_hosted_elsewhere(
    server: RunningServer, author: World, robot: World, tmp_path: Path
) -> None:
    work = tmp_path / "work"
    (work / "lepton.toml").write_text(f'[store]\nurl = "{server.url}/team/models"\n')
    commit(author, work)
    author.run(["git", "init", "--quiet", "--bare", str(tmp_path / "elsewhere.git")])
    author.run(["git", "remote", "add", "origin", str(tmp_path / "elsewhere.git")], work)
    author.run(["git", "lepton", "trust", f"{server.url.removeprefix('http://')}/team/models"], work)
    author.run(["git", "lepton", "push"], work)
    author.run(["git", "push", "--quiet", "origin", "HEAD:main"], work)
    steps = GITHUB["jobs"]["eval"]["steps"]
    folder = robot.folder / "checkout"
    for step in steps:
        if "uses" in step:
            assert step["uses"].startswith("actions/checkout@")
            robot.run(["git", "clone", "--quiet", str(tmp_path / "elsewhere.git"), str(folder)], extra=step["env"])
            assert (folder / "model.bin").read_bytes().startswith(b"version ")
        else:
            robot.run(["sh", "-c", there(server, step["run"])], folder if folder.exists() else None)
    assert (folder / "model.bin").read_bytes() == (work / "model.bin").read_bytes()
