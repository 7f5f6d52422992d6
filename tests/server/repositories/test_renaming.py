"""Repositories that are renamed, given away, shown and hidden: old names go on working, and open nothing to whom it is not meant for."""

from __future__ import annotations

import subprocess
from pathlib import Path

import httpx
import pytest

from lepton_server.backends import changes
from lepton_server.errors import Refusal
from lepton_server.identity import accounts
from lepton_server.repositories import deletion, registry, renaming
from tests.server.conftest import BOTH_DATABASES, Noise
from tests.server.everybody import bearer
from tests.server.weights_client import WeightsClient, weights
from tests.support.git_sandbox import GitSandbox
from tests.support.running_server import RunningServer

pytestmark = BOTH_DATABASES
R = "/api/v1/repositories"


@pytest.fixture
def ann(server: RunningServer, request: pytest.FixtureRequest) -> tuple[str, httpx.Client]:
    """A person of this test's own: the name, and who asks with her token."""
    name = "".join(letter if letter.isalnum() else "-" for letter in request.node.name).strip("-")[:80].lower()
    return name, bearer(server, server.make_user(name))


def token(client: httpx.Client) -> str:
    return client.headers["authorization"].split()[1]


def git_url(server: RunningServer, client: httpx.Client, name: str) -> str:
    return server.url.replace("://", f"://x:{token(client)}@") + f"/{name}.git"


def pushed(server: RunningServer, client: httpx.Client, name: str, folder: Path) -> str:
    """Push one commit there; its name."""
    work = GitSandbox.create(folder, filter=None, track=None)
    commit = work.commit("first", {"readme.txt": str(folder)})  # or two in one second would be the same
    work.git("push", "--quiet", git_url(server, client, name), "main")
    return str(commit)


def tip(server: RunningServer, client: httpx.Client, name: str) -> str:
    """What git says there is."""
    done = subprocess.run(
        ["git", "ls-remote", git_url(server, client, name), "main"], capture_output=True, text=True, check=False
    )
    return done.stdout.split("\t")[0] if done.returncode == 0 else "refused"


def test_an_old_name_leads_to_all_of_it(
    server: RunningServer, ann: tuple[str, httpx.Client], tmp_path: Path, noise: Noise
) -> None:
    own, client = ann
    old, new = f"{own}/old", f"{own}/new"
    commit = pushed(server, client, old, tmp_path / "work")
    file = weights(noise(2000))
    assert client.post(f"{R}/{old}/move", json={"name": "new"}).json()["name"] == new
    for name in (old, new):
        assert client.get(f"{R}/{name}").json()["name"] == new
        assert tip(server, client, name) == tip(server, client, new)
        with WeightsClient(server.url, token(client), name) as there:
            assert there.upload(file)["state"] == "done"
            assert there.fetch(file.names[0]) == file.data
    assert commit in (tip(server, client, old), commit)
    assert client.post(f"{R}/{new}/move", json={"name": "third"}).status_code == 200
    assert {client.get(f"{R}/{name}").json()["name"] for name in (old, new, f"{own}/third")} == {f"{own}/third"}
    assert client.post(f"{R}/{old}/move", json={"name": "old"}).json()["name"] == old  # and back again
    assert client.get(f"{R}/{own}/third").json()["name"] == old


def test_a_new_repository_is_not_shadowed_by_a_redirect(
    server: RunningServer, ann: tuple[str, httpx.Client], tmp_path: Path
) -> None:
    own, client = ann
    first = pushed(server, client, f"{own}/name", tmp_path / "one")
    client.post(f"{R}/{own}/name/move", json={"name": "moved"})
    assert client.put(f"{R}/{own}/name").json()["name"] == f"{own}/name"
    assert tip(server, client, f"{own}/name") == ""  # not the history of the one that moved on
    assert tip(server, client, f"{own}/moved") == first
    second = pushed(server, client, f"{own}/name", tmp_path / "two")
    assert (tip(server, client, f"{own}/name"), tip(server, client, f"{own}/moved")) == (second, first)
    taken = client.post(f"{R}/{own}/moved/move", json={"name": "name"})
    assert (taken.status_code, taken.json()["error"]["code"]) == (409, "conflict")


def test_a_redirect_opens_nothing_to_who_may_not_see_where_it_leads(
    server: RunningServer, ann: tuple[str, httpx.Client], tmp_path: Path
) -> None:
    own, client = ann
    admin = bearer(server, server.admin_token)
    pushed(server, client, f"{own}/given", tmp_path / "one")
    assert admin.post(f"{R}/{own}/given/move", json={"owner": "admin", "name": f"given-{own}"}).status_code == 200
    gone, absent = client.get(f"{R}/{own}/given"), client.get(f"{R}/{own}/never")
    assert gone.status_code == absent.status_code == 404
    assert {**gone.json()["error"], "request": ""} == {**absent.json()["error"], "request": ""}
    second = pushed(server, client, f"{own}/given", tmp_path / "two")  # to her the name is free
    assert tip(server, client, f"{own}/given") == second
    assert tip(server, admin, f"admin/given-{own}") not in ("", second)


def test_only_who_may_make_repositories_there_moves_one_there(server: RunningServer, ann: tuple[str, httpx.Client]) -> None:
    own, client = ann
    client.put(f"{R}/{own}/models")
    for place in ({"owner": "admin"}, {"owner": "no-such-owner"}, {"name": "x/y"}, {"name": "x.git"}):
        assert client.post(f"{R}/{own}/models/move", json=place).status_code == 404
    guest = bearer(server, server.make_user(f"g-{own}"[:90]))
    client.put(f"{R}/{own}/models/grants/g-{own}"[:400], json={"role": "owner"})
    assert guest.get(f"{R}/{own}/models").json()["role"] == "owner"
    assert guest.post(f"{R}/{own}/models/move", json={"name": "mine"}).status_code == 404  # or names there could be tried out


def test_roles_of_teams_end_where_their_organisation_does(server: RunningServer, ann: tuple[str, httpx.Client]) -> None:
    own, client = ann
    admin, org = bearer(server, server.admin_token), f"o-{own}"[:90]
    admin.put(f"/api/v1/accounts/{org}", json={"kind": "organisation"})
    for path, body in (
        (f"/api/v1/organisations/{org}/members/{own}", {"role": "member"}),
        (f"/api/v1/organisations/{org}/teams/red", None),
        (f"/api/v1/organisations/{org}/teams/red/members/{own}", None),
        (f"{R}/{org}/models", None),
        (f"{R}/{org}/models/team-grants/red", {"role": "writer"}),
    ):
        assert admin.put(path, json=body).status_code in (200, 204)
    assert client.get(f"{R}/{org}/models").json()["role"] == "writer"
    admin.post(f"{R}/{org}/models/move", json={"owner": "admin", "name": f"m-{own}"[:90]})
    assert client.get(f"{R}/{org}/models").status_code == 404
    back = admin.post(f"{R}/admin/m-{own}/move".replace(f"m-{own}", f"m-{own}"[:90]), json={"owner": org, "name": "models"})
    assert back.status_code == 200
    assert client.get(f"{R}/{org}/models").status_code == 404  # it does not come back with it
    admin.put(f"{R}/{org}/models/team-grants/red", json={"role": "reader"})
    assert client.get(f"{R}/{org}/models").json()["role"] == "reader"
    assert admin.delete(f"/api/v1/organisations/{org}/members/{own}").status_code == 204
    assert client.get(f"{R}/{org}/models").status_code == 404  # who leaves the organisation leaves its teams


def test_asking_again_for_a_repository(server: RunningServer, ann: tuple[str, httpx.Client]) -> None:
    own, client = ann
    path, asked = f"{R}/{own}/models", {"kind": "hosted", "visibility": "public"}
    made = [client.put(path, json=asked) for _ in range(2)]
    assert [reply.status_code for reply in [*made, client.put(path)]] == [200, 200, 200]  # no message asks for nothing else
    for other in ({"visibility": "private"}, {"kind": "external", "visibility": "public"}):
        reply = client.put(path, json=asked | other)
        assert reply.status_code == 409
        assert reply.json()["error"]["message"] == f"There is a repository {own}/models already (hosted, public)."
    assert client.get(path).json() == made[0].json()
    stranger = bearer(server, server.make_user(f"{own[:70]}-stranger"))
    client.patch(path, json={"visibility": "private"})
    assert stranger.put(path, json=asked).status_code == 404  # and is not told that it is there


def test_visibility(server: RunningServer, ann: tuple[str, httpx.Client]) -> None:
    own, client = ann
    path, anybody, colleague = f"{R}/{own}/models", bearer(server, ""), bearer(server, server.make_user(f"c-{own}"[:90]))
    client.put(path)
    seen = {}
    for visibility in ("private", "internal", "public", "private"):
        assert client.patch(path, json={"visibility": visibility}).json()["visibility"] == visibility
        seen[visibility] = (anybody.get(path).status_code, colleague.get(path).status_code)
    assert seen == {"private": (401, 404), "internal": (401, 200), "public": (200, 200)}
    assert client.patch(path, json={"visibility": "secret"}).status_code == 400


def test_what_was_deleted_meanwhile_is_neither_moved_nor_deleted_again(
    server: RunningServer, ann: tuple[str, httpx.Client]
) -> None:
    """Whoever asked at the same time looked it up before."""
    own, client = ann
    assert client.put(f"{R}/{own}/models").status_code == 200
    with changes(server.settings) as connection:
        caller, seen = accounts.operator(), registry.find_exactly(connection, own, "models")
        assert seen is not None
        deletion.delete_repository(connection, caller, seen)
        for late in (
            lambda: deletion.delete_repository(connection, caller, seen),
            lambda: renaming.move(connection, caller, seen, own, "others"),
        ):
            with pytest.raises(Refusal) as refused:
                late()
            assert refused.value.code == "not_found"
    assert client.get(f"{R}/{own}/others").status_code == 404
    assert [one["name"] for one in client.get("/api/v1/deleted-repositories").json()["repositories"]] == [f"{own}/models"]
