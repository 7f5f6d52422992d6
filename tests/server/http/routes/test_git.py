"""Who may fetch and push what, with real git clients and the server's own database, rights and routes."""

from __future__ import annotations

import asyncio
import concurrent.futures
import hashlib
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from sqlalchemy import insert

from git_lepton.format.identifiers import ObjectId
from git_lepton.format.pointer import Pointer
from lepton_server.coordination.file_lock import only_one
from lepton_server.database.tables import grants, object_links, objects
from lepton_server.git import ref_mirror
from lepton_server.git.bare_repositories import GitRoot
from lepton_server.http.app import create_app
from lepton_server.http.routes import git
from lepton_server.http.state import Services
from lepton_server.identity.accounts import caller_by_id, ensure_account
from lepton_server.identity.tenants import prepare_tenant
from lepton_server.identity.tokens import create_token
from lepton_server.repositories import registry
from lepton_server.repositories.registry import Repository
from lepton_server.settings import ServerSettings
from tests.server.git.small_git_server import serving
from tests.support.git_sandbox import GitSandbox
from tests.support.running_server import RunningServer


@dataclass
class Hosting:
    """A server with its database, and accounts made as they are asked for."""

    services: Services
    port: int

    def url(self, repository: str, user: str | None = None) -> str:
        at = f"{user}:{self.token(user)}@" if user else ""
        return f"http://{at}127.0.0.1:{self.port}/{repository}.git"

    def token(self, user: str) -> str:
        with self.services.database.write() as connection:
            return create_token(connection, ensure_account(connection, user))

    def create(self, owner: str, name: str, kind: str = "hosted", visibility: str = "private") -> Repository:
        with self.services.database.write() as connection:
            caller = caller_by_id(connection, ensure_account(connection, owner))
            return registry.create(connection, caller, owner, name, kind, visibility)

    def find(self, owner: str, name: str) -> Repository | None:
        with self.services.database.read() as connection:
            return registry.find(connection, owner, name)

    def grant(self, repository: Repository, user: str, role: str) -> None:
        with self.services.database.write() as connection:
            row = {"repository": repository.id, "account": ensure_account(connection, user), "role": role}
            connection.execute(insert(grants).values(row))

    def store(self, repository: Repository, content: bytes) -> bytes:
        """The pointer of an object that from now on is stored in the repository."""
        oid = hashlib.sha256(content).digest()
        with self.services.database.write() as connection:
            row = {"tenant": 1, "oid": oid, "size": len(content), "manifest_digest": oid, "manifest": b""}
            key = connection.execute(insert(objects).values(row)).inserted_primary_key[0]
            link = {"repository": repository.id, "oid": oid, "object": key, "created": 0}
            connection.execute(insert(object_links).values(link))
        return Pointer(ObjectId(oid), len(content)).encode()

    def mirror(self, owner: str, name: str) -> dict[str, str]:
        found = self.find(owner, name)
        assert found is not None
        with self.services.database.read() as connection:
            return ref_mirror.mirrored_refs(connection, found)

    def status(self, path: str, token: str | None = None) -> tuple[int, str, dict[str, str]]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/{path}", headers=headers)
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, answer.read().decode("latin-1"), dict(answer.headers)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode(), dict(error.headers)


@pytest.fixture
def hosting(tmp_path: Path) -> Iterator[Hosting]:
    (tmp_path / "data").mkdir()
    app = create_app(ServerSettings(data=tmp_path / "data"))
    services: Services = app.state.services
    with services.database.write() as connection:
        prepare_tenant(connection)
    with serving(app) as port:
        yield Hosting(services, port)


@pytest.fixture
def work(tmp_path: Path) -> GitSandbox:
    sandbox = GitSandbox.create(tmp_path / "work", filter=None)
    sandbox.commit("first", **{"a.txt": "hello\n"})
    return sandbox


def test_a_first_push_creates_a_private_repository_and_its_head(hosting: Hosting, work: GitSandbox) -> None:
    work.git("push", "--quiet", hosting.url("ada/m", "ada"), "main:trunk")
    found = hosting.find("ada", "m")
    assert found is not None
    assert (found.visibility, found.kind, found.default_branch) == ("private", "hosted", "trunk")
    assert hosting.mirror("ada", "m") == {"refs/heads/trunk": work.head()}


def test_looking_at_an_absent_repository_creates_nothing(hosting: Hosting, work: GitSandbox) -> None:
    work.git("push", "--quiet", "--dry-run", hosting.url("ada/m", "ada"), "main")
    assert hosting.find("ada", "m") is None
    assert not (hosting.services.settings.git_root / "ada").exists()
    assert "not found" in work.stderr("ls-remote", hosting.url("ada/m", "ada"))


def test_two_first_pushes_at_once(hosting: Hosting, work: GitSandbox) -> None:
    url = hosting.url("ada/m", "ada")
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda number: work.git("push", "--quiet", url, f"main:b{number}"), range(3)))
    assert set(hosting.mirror("ada", "m")) == {"refs/heads/b0", "refs/heads/b1", "refs/heads/b2"}


def test_stored_weights_land_and_others_do_not(hosting: Hosting, work: GitSandbox) -> None:
    url = hosting.url("ada/m", "ada")
    work.git("push", "--quiet", url, "main")
    first, repository = work.head(), hosting.find("ada", "m")
    assert repository is not None
    elsewhere = hosting.create("bob", "other")
    work.commit("weights", **{"w.bin": hosting.store(elsewhere, b"weights")})
    assert "remote:   w.bin" in work.stderr("push", url, "main")
    assert hosting.mirror("ada", "m") == {"refs/heads/main": first}
    work.git("reset", "--quiet", "--hard", first)
    work.commit("weights", **{"w.bin": hosting.store(repository, b"other weights")})
    work.git("push", "--quiet", url, "main")
    assert hosting.mirror("ada", "m") == {"refs/heads/main": work.head()}


@pytest.mark.parametrize(
    ("role", "fetches", "pushes"),
    [(None, False, False), ("reader", True, False), ("writer", True, True), ("maintainer", True, True)],
)
def test_roles(hosting: Hosting, work: GitSandbox, role: str | None, fetches: bool, pushes: bool) -> None:
    work.git("push", "--quiet", hosting.url("ada/m", "ada"), "main")
    repository = hosting.find("ada", "m")
    assert repository is not None
    if role:
        hosting.grant(repository, "bob", role)
    url = hosting.url("ada/m", "bob")
    assert (work.run("ls-remote", url).returncode == 0) == fetches
    assert (work.run("push", url, "main:theirs").returncode == 0) == pushes
    assert ("refs/heads/theirs" in hosting.mirror("ada", "m")) == pushes


def test_a_reader_who_pushes_is_told(hosting: Hosting, work: GitSandbox) -> None:
    repository = hosting.create("ada", "m")
    hosting.grant(repository, "bob", "reader")
    said = work.stderr("push", hosting.url("ada/m", "bob"), "main")
    assert "remote: A reader of ada/m may not write it." in said
    assert "403" in said


def test_an_outsider_cannot_tell_what_is_there(hosting: Hosting) -> None:
    hosting.create("ada", "m")
    token = hosting.token("bob")
    for service in ("git-upload-pack", "git-receive-pack"):
        there = hosting.status(f"ada/m.git/info/refs?service={service}", token)
        absent = hosting.status(f"ada/nothing.git/info/refs?service={service}", token)
        assert there[:2] == absent[:2]
        assert there[0] == 404


@pytest.mark.parametrize("path", ["ada/m", "ada/nothing"])
def test_anonymous_is_asked_for_a_token(hosting: Hosting, path: str) -> None:
    hosting.create("ada", "m")
    for service in ("git-upload-pack", "git-receive-pack"):
        status, _, headers = hosting.status(f"{path}.git/info/refs?service={service}")
        assert status == 401
        assert {name.lower(): value for name, value in headers.items()}["www-authenticate"] == 'Basic realm="lepton"'


def test_a_wrong_token_is_refused_everywhere(hosting: Hosting) -> None:
    hosting.create("ada", "m", visibility="public")
    assert hosting.status("ada/m.git/info/refs?service=git-upload-pack", "lpt_wrong")[0] == 401


def test_what_is_public_is_read_by_all_and_written_by_few(hosting: Hosting, work: GitSandbox) -> None:
    hosting.create("ada", "m", visibility="public")
    work.git("push", "--quiet", hosting.url("ada/m", "ada"), "main")
    assert "refs/heads/main" in work.git("ls-remote", hosting.url("ada/m"))
    assert hosting.status("ada/m.git/info/refs?service=git-receive-pack")[0] == 401


def test_a_bearer_token_serves_too(hosting: Hosting, work: GitSandbox) -> None:
    header = f"http.extraHeader=Authorization: Bearer {hosting.token('ada')}"
    work.git("-c", header, "push", "--quiet", hosting.url("ada/m"), "main")
    assert hosting.mirror("ada", "m") == {"refs/heads/main": work.head()}


def test_no_other_account_can_create_in_my_name(hosting: Hosting, work: GitSandbox) -> None:
    assert work.run("push", hosting.url("ada/m", "bob"), "main").returncode != 0
    assert hosting.find("ada", "m") is None


def test_an_external_repository_has_no_git_here(hosting: Hosting, work: GitSandbox) -> None:
    hosting.create("ada", "m", kind="external")
    assert "not hosted here" in work.stderr("push", hosting.url("ada/m", "ada"), "main")


@pytest.mark.parametrize(
    "path",
    [
        "ada/m.git/info/refs",
        "ada/m.git/info/refs?service=git-upload-archive",
        "ada/m.git/HEAD",
        "ada/m.git/objects/info/packs",
        "ada/m.git/config",
        "ada/..%2Fm.git/info/refs?service=git-upload-pack",
        ".hooks/x.git/info/refs?service=git-receive-pack",
        "ada/.empty.git/info/refs?service=git-receive-pack",
    ],
)
def test_only_the_smart_services_of_well_named_repositories(hosting: Hosting, work: GitSandbox, path: str) -> None:
    work.git("push", "--quiet", hosting.url("ada/m", "ada"), "main")
    status, _, _ = hosting.status(path, hosting.token("ada"))
    assert status in (403, 404)


def test_a_hook_that_is_gone_refuses_every_push(hosting: Hosting, work: GitSandbox) -> None:
    url = hosting.url("ada/m", "ada")
    work.git("push", "--quiet", url, "main")
    (GitRoot(hosting.services.settings.git_root).hooks / "pre-receive").chmod(0o644)
    assert work.run("push", url, "main:other").returncode != 0
    assert set(hosting.mirror("ada", "m")) == {"refs/heads/main"}


def test_a_server_without_git_says_so(hosting: Hosting, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hosting.create("ada", "m")
    token = hosting.token("ada")
    monkeypatch.setenv("PATH", str(tmp_path))
    status, said, _ = hosting.status("ada/m.git/info/refs?service=git-upload-pack", token)
    assert status == 503
    assert "git program is not installed" in said
    asyncio.run(git.started(hosting.services))


@pytest.mark.thorough
def test_a_server_killed_in_the_middle_of_a_push_leaves_a_sound_repository(tmp_path: Path, work: GitSandbox) -> None:
    with RunningServer(tmp_path) as server:
        token = server.make_user("ada")
        address = server.url.removeprefix("http://")
        url = f"http://ada:{token}@{address}/ada/m.git"
        work.git("push", "--quiet", url, "main")
        work.commit("more", **{"b.txt": "more"})
        turns = server.data / "ref-locks"
        (turn,) = turns.iterdir()
        with (
            only_one(turn, "moves refs in"),  # so git waits in the hook
            subprocess.Popen(["git", "push", "--quiet", url, "main"], cwd=work.folder, stderr=subprocess.DEVNULL),
        ):
            children: list[psutil.Process] = []
            until(lambda: children.extend(psutil.Process(server.pid).children(recursive=True)) or len(children) > 2)
            server.kill()
        _, alive = psutil.wait_procs(children, timeout=60)
        assert not alive
        server.restart()
        work.git("push", "--quiet", url, "main:again")
        assert "refs/heads/again" in work.git("ls-remote", url)


def until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)
