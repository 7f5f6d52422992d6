"""What is deleted is at once as what never was, comes back whole until gc makes it gone, and leaves its name to nobody by accident."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from git_lepton.wire.protocol import MISSING, STORED
from lepton_server.admin import backups, maintenance
from lepton_server.backends import changes, opened
from lepton_server.database.tables import audit, chunk_links, object_links, repositories
from lepton_server.errors import Refusal
from lepton_server.git import push_rules
from lepton_server.git.program import Git
from lepton_server.identity import accounts, former_names, tokens
from lepton_server.repositories.registry import find_exactly
from lepton_server.settings import S3Settings, ServerSettings
from tests.server.conftest import BOTH_DATABASES, PATIENT, Noise
from tests.server.everybody import bearer
from tests.server.repositories.test_renaming import git_url, pushed, tip, token
from tests.server.weights_client import Weights, WeightsClient, weights
from tests.support.backends import Backends
from tests.support.running_server import RunningServer

pytestmark = BOTH_DATABASES
API, R = "/api/v1", "/api/v1/repositories"


@pytest.fixture(scope="module")
def server_options() -> tuple[str, ...]:
    return PATIENT


class Ann:
    """A person of one test, with a repository that has refs, weights, a lock, a rule, a grant and a share."""

    def __init__(self, server: RunningServer, name: str) -> None:
        self.server, self.name = server, name
        self.client = bearer(server, server.make_user(name))
        self.admin = bearer(server, server.admin_token)

    def settle(self, folder: Path, file: Weights, name: str = "models") -> str:
        """Make the repository; the link of its share."""
        full = f"{self.name}/{name}"
        pushed(self.server, self.client, full, folder)
        with self.weights(full) as there:
            assert there.upload(file)["state"] == "done"
            assert there.ask("POST", "locks", json={"path": "model.bin"}).status_code == 201
            assert there.ask("PUT", "rules", json={"pattern": "refs/heads/main", "force": "owner"}).status_code == 200
            offer = {"path": "model.bin", "oid": file.oid.hex, "size": len(file.data)}
            made = there.ask("POST", "shares", json={"revision": "main", "files": [offer], "expires_in": 600})
        return str(made.json()["url"])

    def weights(self, name: str) -> WeightsClient:
        return WeightsClient(self.server.url, token(self.client), name)

    def delete(self, name: str) -> int:
        return self.client.delete(f"{R}/{name}", params={"confirm": name}).status_code

    def deleted(self) -> list[int]:
        return [one["id"] for one in self.client.get(f"{API}/deleted-repositories").json()["repositories"]]

    def undelete(self, **asked: str) -> httpx.Response:
        return self.client.post(f"{API}/deleted-repositories/{self.deleted()[0]}/undelete", json=asked)


@pytest.fixture
def ann(server: RunningServer, request: pytest.FixtureRequest) -> Ann:
    name = "".join(letter if letter.isalnum() else "-" for letter in request.node.name).strip("-")
    return Ann(server, name[:80].lower())


@pytest.fixture
def other(server: RunningServer, backends: Backends, tmp_path: Path) -> ServerSettings:
    """An empty place on the other kind of database."""
    kind = "sqlite-disk" if server.place.database else "postgres-disk"
    return backends.place(kind).settings(tmp_path / "other" / "data")


def words(reply: httpx.Response) -> tuple[int, str]:
    return reply.status_code, reply.json()["error"]["message"]


def test_a_deleted_repository_is_as_one_that_never_was(server: RunningServer, ann: Ann, tmp_path: Path, noise: Noise) -> None:
    file, name = weights(noise(3000)), f"{ann.name}/models"
    link = ann.settle(tmp_path / "work", file)
    ann.client.post(f"{R}/{name}/move", json={"name": "renamed"})
    name, old, never = f"{ann.name}/renamed", name, f"{ann.name}/never"
    with ann.weights(name) as there:
        session = there.open()
    assert ann.client.delete(f"{R}/{old}", params={"confirm": old}).status_code == 400  # that is what it was called
    assert ann.delete(name) == 204
    for who in (ann.client, ann.admin):
        for gone in (name, old):
            for way in ("", "/rules", "/shares", "/access", "/audit"):
                assert words(who.get(f"{R}/{gone}{way}")) == words(who.get(f"{R}/{never}{way}"))
            assert tip(server, who, gone) == tip(server, who, never) == "refused"
        assert name not in str(who.get(R).json())
    with ann.weights(name) as there, ann.weights(never) as nowhere:
        assert words(there.ask("POST", "uploads", session, "commit")) == words(nowhere.ask("POST", "uploads", session, "commit"))
    assert httpx.get(link).status_code == 404
    with ann.weights(f"{ann.name}/other") as own:  # nor are its chunks known from elsewhere
        assert own.have(own.open(), file.names) == own.have(own.open(), weights(noise(3000)).names) == [MISSING]


def test_it_comes_back_whole(server: RunningServer, ann: Ann, tmp_path: Path, noise: Noise) -> None:
    file, name = weights(noise(3000)), f"{ann.name}/models"
    link = ann.settle(tmp_path / "work", file)
    before = tip(server, ann.client, name)
    told = [ann.client.get(f"{R}/{name}{way}").json() for way in ("", "/rules", "/locks", "/grants", "/usage")]
    ann.client.post(f"{R}/{name}/fork", json={"name": "fork"})
    assert ann.delete(name) == 204
    assert tip(server, ann.client, f"{ann.name}/fork") == before  # what others made of it is theirs
    with ann.weights(f"{ann.name}/fork") as fork:
        assert fork.fetch(file.names[0]) == file.data
    stranger = bearer(server, server.make_user(f"{ann.name}-2"))
    assert stranger.get(f"{API}/deleted-repositories").json()["repositories"] == []
    assert stranger.post(f"{API}/deleted-repositories/{ann.deleted()[0]}/undelete").status_code == 404
    maintenance.gc(server.settings, None, 0)  # leaves it alone
    assert ann.undelete().json()["name"] == name
    assert told == [ann.client.get(f"{R}/{name}{way}").json() for way in ("", "/rules", "/locks", "/grants", "/usage")]
    assert tip(server, ann.client, name) == before
    with ann.weights(name) as there:
        assert there.check(file.oid) == [STORED] and there.fetch(file.names[0]) == file.data
    assert httpx.get(link).status_code == 200
    assert ann.deleted() == []


def test_its_name_is_free_at_once(server: RunningServer, ann: Ann, tmp_path: Path, noise: Noise) -> None:
    name = f"{ann.name}/models"
    ann.settle(tmp_path / "work", weights(noise(2000)))
    before = tip(server, ann.client, name)
    assert ann.delete(name) == 204
    second = pushed(server, ann.client, name, tmp_path / "again")
    assert tip(server, ann.client, name) == second != before
    assert words(ann.undelete()) == (409, f"There is a repository {name} by now.")
    assert ann.undelete(name="rescued").json()["name"] == f"{ann.name}/rescued"
    assert (tip(server, ann.client, name), tip(server, ann.client, f"{ann.name}/rescued")) == (second, before)
    rows = ann.client.get(f"{R}/{name}/audit").json()["rows"]
    assert "repository.delete" not in {row["action"] for row in rows}  # that was the other
    rows = ann.client.get(f"{R}/{ann.name}/rescued/audit").json()["rows"]
    assert {"repository.delete", "repository.undelete"} <= {row["action"] for row in rows}


def test_a_push_under_way_lands_nowhere(server: RunningServer, ann: Ann, tmp_path: Path) -> None:
    """The right to push is asked for when git has everything: then the repository is not there."""
    name = f"{ann.name}/models"
    pushed(server, ann.client, name, tmp_path / "work")
    with opened(server.settings) as database:
        with database.write() as connection:
            found = find_exactly(connection, ann.name, "models")
            caller = tokens.caller_with(connection, token(ann.client))
        assert found is not None and caller is not None
        assert ann.delete(name) == 204
        with pytest.raises(Refusal, match="no such thing"):
            push_rules.PushRules(database, found, caller[0]).refusal(Git(tmp_path), [])


def test_after_the_grace_it_is_gone(server: RunningServer, ann: Ann, tmp_path: Path, noise: Noise) -> None:
    file, name = weights(noise(3000)), f"{ann.name}/models"
    ann.settle(tmp_path / "work", file)
    assert ann.delete(name) == 204
    number = ann.deleted()[0]
    assert maintenance.gc(server.settings, None, 0, dry_run=True, keep_deleted_s=0).repositories_gone >= 1
    assert ann.deleted() == [number]
    folder = server.settings.git_root / f"{name}.git"
    assert folder.exists()
    done = maintenance.gc(server.settings, None, 0, keep_deleted_s=0)
    assert done.repositories_gone >= 1 and done.refused == []
    assert ann.deleted() == [] and not folder.exists()
    assert ann.client.post(f"{API}/deleted-repositories/{number}/undelete").status_code == 404
    with server.looking_into() as connection:
        for table in (chunk_links, object_links):
            assert connection.execute(select(table).where(table.c.repository == number)).first() is None
        columns = select(repositories.c.kind, repositories.c.git_bytes).where(repositories.c.id == number)
        assert tuple(connection.execute(columns).one()) == ("gone", None)  # it counts for no quota any longer
        kept = set(connection.execute(select(audit.c.action).where(audit.c.repository_id == number)).scalars())
    assert {"repository.create", "ref.move", "repository.delete", "repository.gone"} <= kept
    assert maintenance.gc(server.settings, None, 0, keep_deleted_s=0).repositories_gone == 0
    with ann.weights(name) as there:  # the name is that of a new one
        assert there.upload(file)["state"] == "done"


def test_a_deleted_account_is_as_none_and_comes_back_with_all(
    server: RunningServer, ann: Ann, tmp_path: Path, noise: Noise
) -> None:
    file, name = weights(noise(3000)), f"{ann.name}/models"
    ann.settle(tmp_path / "work", file)
    before = tip(server, ann.client, name)
    pushed(server, ann.client, f"{ann.name}/dropped", tmp_path / "dropped")
    assert ann.delete(f"{ann.name}/dropped") == 204  # before, by itself
    account = f"{API}/accounts/{ann.name}"
    assert words(ann.client.delete(account)) == (400, f"This deletes the account {ann.name}, with its repositories.")
    assert ann.client.delete(account, params={"confirm": ann.name}).status_code == 204
    assert ann.client.get(R).status_code == 401
    assert words(ann.admin.get(account)) == words(ann.admin.get(f"{API}/accounts/no-such"))
    assert words(ann.admin.get(f"{R}/{name}")) == words(ann.admin.get(f"{R}/no-such/models"))
    assert ann.name not in str(ann.admin.get(R).json())
    assert words(ann.admin.put(account, json={})) == (409, f"{ann.name} was the name of another account.")
    assert ann.admin.put(f"{R}/{ann.name}/new").status_code == 409
    assert ann.admin.post(f"{account}/undelete").json()["disabled"] is None
    assert tip(server, ann.client, name) == before
    with ann.weights(name) as there:
        assert there.fetch(file.names[0]) == file.data
    assert ann.client.get(f"{R}/{ann.name}/dropped").status_code == 404
    assert len(ann.deleted()) == 1


def test_the_name_of_an_account_that_is_gone_goes_to_nobody_by_accident(server: RunningServer, ann: Ann, tmp_path: Path) -> None:
    pushed(server, ann.client, f"{ann.name}/models", tmp_path / "work")
    org = f"{ann.name}-org"
    with changes(server.settings) as connection:
        accounts.ensure_account(connection, org, kind="organisation")
    ann.admin.put(f"{API}/organisations/{org}/members/{ann.name}", json={"role": "owner"})
    assert ann.client.post(f"{R}/{ann.name}/models/move", json={"owner": org}).json()["name"] == f"{org}/models"
    assert ann.client.get(f"{R}/{ann.name}/models").json()["name"] == f"{org}/models"
    assert ann.admin.delete(f"{API}/accounts/{ann.name}", params={"confirm": ann.name}).status_code == 204
    assert maintenance.gc(server.settings, None, 0, keep_deleted_s=0).accounts_gone >= 1
    assert ann.admin.post(f"{API}/accounts/{ann.name}/undelete").status_code == 404
    assert ann.admin.put(f"{API}/accounts/{ann.name}", json={}).status_code == 409
    assert ann.admin.get(f"{R}/{ann.name}/models").status_code == 404  # the redirect ended
    assert ann.admin.get(f"{R}/{org}/models").status_code == 200
    with changes(server.settings) as connection:
        assert former_names.free(connection, ann.name)
    assert ann.admin.put(f"{API}/accounts/{ann.name}", json={}).json()["name"] == ann.name
    assert ann.client.get(R).status_code == 401  # the old tokens are nobody's
    members = ann.admin.get(f"{API}/organisations/{org}/members").json()["members"]
    assert members == []


def test_a_renamed_account_keeps_all_and_its_old_addresses_lead_there(server: RunningServer, ann: Ann, tmp_path: Path) -> None:
    old, new = ann.name, f"{ann.name}-new"
    commit = pushed(server, ann.client, f"{old}/models", tmp_path / "work")
    renamed = ann.admin.patch(f"{API}/accounts/{old}", json={"name": new})
    assert (renamed.status_code, renamed.json()["name"]) == (200, new)
    assert ann.client.get(f"{API}/account").json()["name"] == new  # by the same token
    for owner in (old, new):
        assert ann.client.get(f"{R}/{owner}/models").json()["name"] == f"{new}/models"
        assert tip(server, ann.client, f"{owner}/models") == commit
    assert words(ann.admin.put(f"{API}/accounts/{old}", json={})) == (409, f"{old} was the name of another account.")
    assert ann.admin.patch(f"{API}/accounts/{new}", json={"name": "admin"}).status_code == 409
    assert ann.admin.patch(f"{API}/accounts/{new}", json={"name": old}).json()["name"] == old  # and back
    assert ann.client.get(f"{R}/{new}/models").json()["name"] == f"{old}/models"
    assert git_url(server, ann.client, f"{old}/models") and tip(server, ann.client, f"{old}/models") == commit


@pytest.mark.thorough
def test_what_is_deleted_is_in_backups(
    server: RunningServer, ann: Ann, tmp_path: Path, noise: Noise, other: ServerSettings
) -> None:
    file, name = weights(noise(3000)), f"{ann.name}/models"
    ann.settle(tmp_path / "work", file)
    before = tip(server, ann.client, name)
    assert ann.delete(name) == 204
    backups.make(server.settings, str(tmp_path / "archive"), S3Settings())
    backups.restore_server(other, str(tmp_path / "archive"), S3Settings())
    where = replace(server.place, database=other.database, storage=other.storage, s3_endpoint="", git=None, environment={})
    with RunningServer(other.data.parent, place=where, admin_token=server.admin_token) as restored:
        ann.server = restored
        ann.client = bearer(restored, token(ann.client))
        assert ann.client.get(f"{R}/{name}").status_code == 404
        assert ann.undelete().json()["name"] == name
        assert tip(restored, ann.client, name) == before
        with ann.weights(name) as there:
            assert there.fetch(file.names[0]) == file.data
