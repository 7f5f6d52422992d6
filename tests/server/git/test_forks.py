"""Forks on the server: all that the source holds, at once, by links; and only for who may read it."""

from __future__ import annotations

import os
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from sqlalchemy import func, select

from git_lepton.format.identifiers import ObjectId
from git_lepton.format.pointer import Pointer
from git_lepton.wire.protocol import STORED
from lepton_server.backends import open_database
from lepton_server.database.tables import chunk_links, packs, repositories
from lepton_server.errors import Refusal
from lepton_server.git import forks
from lepton_server.git.folder_marks import MARK
from lepton_server.identity.accounts import caller_by_id, known_account
from lepton_server.repositories.registry import Repository, find
from tests.server.conftest import BOTH_DATABASES
from tests.server.everybody import bearer
from tests.server.weights_client import Noise, Weights, WeightsClient, weights
from tests.support.git_sandbox import GitSandbox
from tests.support.running_server import RunningServer

pytestmark = BOTH_DATABASES
R = "/api/v1/repositories"


class Source:
    """A repository of ann's with weights and the git history that names them; bob is a reader."""

    def __init__(self, server: RunningServer, own: str, file: Weights, folder: Path) -> None:
        self.server, self.file = server, file
        self.ann, self.bob, self.name = f"a-{own}", f"b-{own}", f"a-{own}/models"
        self.tokens = {name: server.make_user(name) for name in (self.ann, self.bob)}
        with WeightsClient(server.url, self.tokens[self.ann], self.name) as client:
            assert client.upload(file)["state"] == "done"
        self.work = GitSandbox.create(folder, filter=None, track=None)
        pointer = Pointer(ObjectId(file.oid.raw), len(file.data)).encode().decode()
        self.commit = self.work.commit("model", {".gitattributes": "*.bin filter=lepton\n", "model.bin": pointer})
        self.work.git("push", "--quiet", self.git_url(self.ann, self.name), "main")
        server.grant(self.bob, "reader", self.name)

    def git_url(self, who: str, name: str) -> str:
        return self.server.url.replace("://", f"://x:{self.tokens[who]}@") + f"/{name}.git"

    def asks(self, who: str) -> httpx.Client:
        return bearer(self.server, self.tokens[who])

    def tip(self, who: str, name: str, branch: str = "main") -> str:
        command = ["git", "ls-remote", self.git_url(who, name), branch]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\t")[0]


@pytest.fixture
def source(server: RunningServer, request: pytest.FixtureRequest, noise: Noise, tmp_path: Path) -> Source:
    own = "".join(letter if letter.isalnum() else "-" for letter in request.node.name).strip("-")[:70].lower()
    return Source(server, own, weights(noise(4000), noise(300)), tmp_path / "work")


@pytest.mark.thorough
def test_a_reader_forks_all_of_it_and_goes_on_alone(source: Source) -> None:
    reply = source.asks(source.bob).post(f"{R}/{source.name}/fork", json={})
    assert reply.status_code == 201, reply.text
    fork = f"{source.bob}/models"
    told = reply.json()
    assert (told["name"], told["visibility"], told["role"], told["default_branch"]) == (fork, "private", "owner", "main")
    assert source.tip(source.bob, fork) == source.commit
    with WeightsClient(source.server.url, source.tokens[source.bob], fork) as client:
        assert client.check(source.file.oid) == [STORED]
        assert client.fetch(source.file.names[0]) == source.file.data[:4000]
    source.work.git("push", "--quiet", source.git_url(source.bob, fork), "main:more")  # its weights are found there
    assert source.tip(source.ann, source.name, "more") == ""
    database = open_database(source.server.settings)
    with database.read() as connection:
        numbers = dict(connection.execute(select(repositories.c.git_folder, repositories.c.id)).all())
        row = connection.execute(select(repositories).where(repositories.c.forked_from.is_not(None))).mappings().all()[-1]
        links = select(func.count()).select_from(chunk_links).where(chunk_links.c.repository == row["id"])
        assert connection.execute(links).scalar_one() == 2
        assert (
            connection.execute(select(func.count()).select_from(packs).where(packs.c.repository == row["id"])).scalar_one() == 0
        )
    database.close()
    assert len(numbers) > 1
    assert source.asks(source.ann).get(f"{R}/{fork}").status_code == 404  # it is bob's alone
    assert source.asks(source.ann).delete(f"{R}/{source.name}/grants/{source.bob}").status_code == 204
    with WeightsClient(source.server.url, source.tokens[source.bob], fork) as client:  # and stays when he loses the source
        assert client.fetch(source.file.names[0]) == source.file.data[:4000]


def test_who_may_not_read_it_cannot_fork_it(source: Source) -> None:
    stranger = bearer(source.server, source.server.make_user(f"s-{source.ann}"[:95]))
    hidden = stranger.post(f"{R}/{source.name}/fork", json={})
    absent = stranger.post(f"{R}/{source.ann}/nothing/fork", json={})
    assert hidden.status_code == absent.status_code == 404
    assert hidden.json()["error"]["message"] == absent.json()["error"]["message"]


def test_a_fork_lands_only_where_one_may_make_repositories_and_replaces_none(source: Source) -> None:
    bob = source.asks(source.bob)
    assert bob.post(f"{R}/{source.name}/fork", json={"owner": "admin"}).status_code == 404
    assert bob.post(f"{R}/{source.name}/fork", json={"name": "a/b"}).status_code == 404
    assert bob.post(f"{R}/{source.name}/fork", json={"name": "twice"}).status_code == 201
    again = bob.post(f"{R}/{source.name}/fork", json={"name": "twice"})
    assert (again.status_code, again.json()["error"]["code"]) == (409, "conflict")
    folders = list((source.server.settings.git_root / ".unnamed").iterdir())
    assert len(folders) == len({folder.name for folder in folders})
    assert not [folder for folder in folders if not (folder / "HEAD").is_file()]


def test_an_external_repository_forks_without_git(server: RunningServer, noise: Noise) -> None:
    admin, name = bearer(server, server.admin_token), "admin/external-source"
    admin.put(f"{R}/{name}", json={"kind": "external"})
    file = weights(noise(500))
    with WeightsClient(server.url, server.admin_token, name) as client:
        client.upload(file)
    told = admin.post(f"{R}/{name}/fork", json={"name": "external-fork"})
    assert (told.status_code, told.json()["kind"]) == (201, "external")
    with WeightsClient(server.url, server.admin_token, "admin/external-fork") as client:
        assert client.fetch(file.names[0]) == file.data


class SlowFork:
    """A fork by bob in a thread of the test's own, which waits in the middle of its copy until it is told to go on."""

    def __init__(self, source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
        self.copying, self._go_on = threading.Event(), threading.Event()
        fetch = forks._Copy.fetch

        def slow(copy: forks._Copy) -> None:
            fetch(copy)
            self.copying.set()
            assert self._go_on.wait(60)

        monkeypatch.setattr(forks._Copy, "fetch", slow)
        self._source = source
        self.database = open_database(source.server.settings)
        self._pool = ThreadPoolExecutor(1)
        self._made = self._pool.submit(self.fork, "slowly")
        assert self.copying.wait(60)

    def fork(self, name: str) -> Repository:
        with self.database.read() as connection:
            caller = caller_by_id(connection, known_account(connection, self._source.bob))
            found = find(connection, *self._source.name.split("/"))
        assert found is not None
        return forks.fork(self.database, self._source.server.settings, caller, found, self._source.bob, name)

    def end(self) -> Repository:
        self._go_on.set()
        made = self._made.result(60)
        self._pool.shutdown()
        return made


def test_pushes_go_on_while_a_fork_copies(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = SlowFork(source, monkeypatch)
    later = source.work.commit("meanwhile", {"more.txt": "more"})
    source.work.git("push", "--quiet", source.git_url(source.ann, source.name), "main", "main:refs/heads/new")
    made = slow.end()
    assert source.tip(source.bob, made.full_name) == source.tip(source.bob, made.full_name, "new") == later
    slow.database.close()


def test_an_account_makes_one_fork_at_a_time(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = SlowFork(source, monkeypatch)
    with pytest.raises(Refusal, match="one at a time"):
        slow.fork("another")
    slow.end()
    assert slow.fork("another").name == "another"
    slow.database.close()


def test_what_a_killed_fork_left_is_cleared(source: Source) -> None:
    made = source.asks(source.bob).post(f"{R}/{source.name}/fork", json={"name": "kept"})
    assert made.status_code == 201
    folder = source.server.settings.git_root / ".unnamed"
    left, young, forgotten = (folder / f"{digit * 32}.git" for digit in "012")
    for one in (left, young, forgotten):
        one.mkdir()
    (forgotten / MARK).write_text("77 1\n")  # of a fork that an older database does not know
    for one in folder.iterdir():
        if one != young:
            os.utime(one, (1, 1))
    database = open_database(source.server.settings)
    forks.clear_abandoned(database, source.server.settings)
    database.close()
    assert not left.exists()
    assert young.exists() and forgotten.exists()
    (forgotten / MARK).unlink()
    forgotten.rmdir()
    assert source.tip(source.bob, f"{source.bob}/kept") == source.commit
    young.rmdir()
