"""Locks: who may lock what, and which pushes a lock refuses, with real git."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from sqlalchemy import insert, select

from lepton_server import backends
from lepton_server.database.tables import repositories, rules
from lepton_server.identity.accounts import caller_by_id, known_account
from lepton_server.protection import path_locks
from lepton_server.repositories import naming
from tests.server.teams import Person, own_name, said
from tests.support.git_sandbox import GitEnded, GitSandbox
from tests.support.running_server import RunningServer

MODEL, OTHER = "models/big.txt", "models/other.txt"


@pytest.fixture(scope="module")
def accounts(server: RunningServer) -> dict[str, str]:
    """Their tokens."""
    return {name: server.make_user(name) for name in ("ada", "bob", "mia", "stranger")}


class Pair:
    """Ada, who locks, and Bob, who pushes; a maintainer; all with a role in one repository that has a few files on main."""

    def __init__(self, server: RunningServer, http: httpx.Client, accounts: dict[str, str], own: str, folder: Path) -> None:
        self.server, repository = server, f"admin/{own}"
        admin = Person(http, "admin", server.admin_token, repository)
        first = GitSandbox.create(folder / "first", filter=None, track=None)
        first.commit("first", {MODEL: "one\n", OTHER: "one\n", "readme.txt": "one\n"})
        first.git("push", "--quiet", admin.url, "main")
        self.ada, self.bob, self.maintainer, self.stranger = (
            Person(http, name, token, repository) for name, token in accounts.items()
        )
        for name, role in ("ada", "writer"), ("bob", "writer"), ("mia", "maintainer"):
            server.grant(name, role, repository)
        self.ada_work, self.bob_work = self.ada.clone(folder / "ada"), self.bob.clone(folder / "bob")

    def lock(self, path: str = MODEL) -> int:
        reply = self.ada.ask("POST", "locks", json={"path": path})
        assert reply.status_code == 201, reply.text
        return int(reply.json()["id"])

    def refused(self, *refs: str) -> str:
        """What Bob is told when he pushes."""
        with pytest.raises(GitEnded) as told:
            self.bob_work.git("push", "--quiet", "origin", *refs)
        return str(told.value)

    def lands(self, *refs: str) -> None:
        self.bob_work.git("push", "--quiet", "origin", *refs)


@pytest.fixture
def pair(
    server: RunningServer, http: httpx.Client, accounts: dict[str, str], request: pytest.FixtureRequest, tmp_path: Path
) -> Pair:
    return Pair(server, http, accounts, own_name(request), tmp_path)


def test_a_lock_is_its_owners(pair: Pair) -> None:
    number = pair.lock()
    assert pair.lock() == number
    listed = pair.bob.ask("GET", "locks").json()["locks"]
    assert [(lock["id"], lock["path"], lock["owner"], lock["own"]) for lock in listed] == [(number, MODEL, pair.ada.name, False)]
    assert pair.ada.ask("GET", "locks").json()["locks"][0]["own"] is True
    status, words = said(pair.bob.ask("POST", "locks", json={"path": MODEL}))
    assert (status, words) == (409, f"{pair.ada.name} has locked {MODEL}.")
    assert pair.bob.ask("DELETE", "locks", str(number)).status_code == 403
    assert pair.bob.ask("DELETE", "locks", str(number), params={"force": True}).status_code == 403
    assert pair.ada.ask("DELETE", "locks", str(number)).status_code == 204
    assert pair.ada.ask("DELETE", "locks", str(number)).status_code == 204
    assert pair.bob.ask("POST", "locks", json={"path": MODEL}).status_code == 201


def test_a_maintainer_unlocks_by_force_and_that_is_noted(pair: Pair) -> None:
    number = pair.lock()
    assert pair.maintainer.ask("DELETE", "locks", str(number)).status_code == 403
    assert pair.maintainer.ask("DELETE", "locks", str(number), params={"force": True}).status_code == 204
    assert pair.ada.ask("GET", "locks").json() == {"locks": []}


def test_a_lock_of_another_repository_is_out_of_reach(pair: Pair) -> None:
    number = pair.lock()
    stranger = pair.stranger.at("stranger/own")
    assert stranger.ask("PUT").status_code == 200
    assert stranger.ask("DELETE", "locks", str(number), params={"force": True}).status_code == 204
    assert len(pair.ada.ask("GET", "locks").json()["locks"]) == 1


def test_paths_that_cannot_be_locked(pair: Pair) -> None:
    for path in ["", "/a", "a/", "a//b", "./a", "a/../b", "..", "a\nb", "a\0b", "x" * 1025, "ä" * 513]:
        assert said(pair.ada.ask("POST", "locks", json={"path": path}))[0] == 400, path


def test_folders(pair: Pair) -> None:
    pair.lock(OTHER)
    assert pair.bob.ask("POST", "locks", json={"path": "models"}).status_code == 409
    pair.lock("models")
    assert pair.bob.ask("POST", "locks", json={"path": "models/new.txt"}).status_code == 409
    assert pair.bob.ask("POST", "locks", json={"path": "models2"}).status_code == 201
    pair.bob_work.commit("in the folder", {"models/new.txt": "new\n"})
    assert "models/new.txt (the folder models) is locked by" in pair.refused("main")


def test_a_locked_path_refuses_anothers_push_and_lets_its_owners_through(pair: Pair) -> None:
    pair.lock()
    pair.bob_work.commit("elsewhere", {OTHER: "two\n"})
    pair.lands("main")
    pair.bob_work.commit("the locked one", {MODEL: "two\n"})
    words = pair.refused("main")
    assert f"{MODEL} is locked by {pair.ada.name} since 20" in words
    assert f"and {pair.bob_work.head()[:12]} changes it" in words
    pair.ada_work.git("pull", "--quiet")
    pair.ada_work.commit("mine", {MODEL: "ada's\n"})
    pair.ada_work.git("push", "--quiet", "origin", "main")


@pytest.mark.thorough
def test_every_way_to_change_a_path(pair: Pair) -> None:
    pair.lock()
    pair.lock("models/locked-new.txt")
    ways = [
        ("rm", MODEL),
        ("mv", MODEL, "models/renamed.txt"),
        ("mv", OTHER, "models/locked-new.txt"),
        ("update-index", "--chmod=+x", MODEL),
    ]
    for number, change in enumerate(ways):
        pair.bob_work.git("switch", "--quiet", "-c", f"way{number}", "origin/main")
        pair.bob_work.git(*change)
        pair.bob_work.git("commit", "--quiet", "-m", "a change")
        assert "is locked by" in pair.refused(f"way{number}:main"), change
        assert "is locked by" in pair.refused(f"way{number}"), change
        pair.bob_work.git("reset", "--quiet", "--hard")


def test_taking_a_change_back_in_the_same_push_helps_nothing(pair: Pair) -> None:
    pair.lock()
    pair.bob_work.commit("change", {MODEL: "two\n"})
    pair.bob_work.commit("back", {MODEL: "one\n"})
    assert "is locked by" in pair.refused("main")


def test_a_tag_brings_commits_too(pair: Pair) -> None:
    pair.lock()
    pair.bob_work.commit("change", {MODEL: "two\n"})
    pair.bob_work.git("tag", "-a", "-m", "one", "v1")
    assert "is locked by" in pair.refused("v1")


def test_case_counts(pair: Pair) -> None:
    pair.lock(MODEL.upper())
    pair.bob_work.commit("change", {MODEL: "two\n"})
    pair.lands("main")


@pytest.mark.thorough
def test_a_merge_that_brings_what_has_landed_is_no_change(pair: Pair) -> None:
    pair.lock()
    pair.bob_work.git("switch", "--quiet", "-c", "topic")
    pair.bob_work.commit("topic", {"topic.txt": "topic\n"})
    pair.lands("topic")
    pair.ada_work.commit("ada's", {MODEL: "ada's\n"})
    pair.ada_work.git("push", "--quiet", "origin", "main")
    pair.bob_work.git("fetch", "--quiet")
    pair.bob_work.git("merge", "--quiet", "--no-edit", "origin/main")
    pair.lands("topic")
    pair.bob_work.git("rebase", "--quiet", "origin/main")
    pair.lands("--force", "topic")
    pair.bob_work.git("switch", "--quiet", "main")
    pair.bob_work.git("merge", "--quiet", "--ff-only", "origin/main")
    pair.bob_work.git("merge", "--quiet", "--no-ff", "--no-edit", "topic")
    pair.lands("main")
    pair.lands("main:refs/heads/new-branch")


@pytest.mark.parametrize("how", ["ours", "edited"])
def test_a_merge_that_decides_otherwise_is_one(pair: Pair, how: str) -> None:
    pair.lock()
    pair.bob_work.git("switch", "--quiet", "-c", "topic")
    pair.bob_work.commit("topic", {"topic.txt": "topic\n"})
    pair.ada_work.commit("ada's", {MODEL: "ada's\n"})
    pair.ada_work.git("push", "--quiet", "origin", "main")
    pair.bob_work.git("fetch", "--quiet")
    if how == "ours":
        pair.bob_work.git("merge", "--quiet", "--no-edit", "--strategy=ours", "origin/main")
    else:
        pair.bob_work.git("merge", "--quiet", "--no-commit", "origin/main")
        pair.bob_work.commit("merged", {MODEL: "bob's\n"})
    assert "is locked by" in pair.refused("topic:main")


def test_going_back_behind_the_owners_change_is_one(pair: Pair) -> None:
    pair.ada_work.commit("ada's", {MODEL: "ada's\n"})
    pair.ada_work.git("push", "--quiet", "origin", "main")
    pair.lock()
    assert "is locked by" in pair.refused("--force", "main")
    pair.lands("main:refs/heads/old")


def test_many_locks_and_odd_names(pair: Pair) -> None:
    with backends.changes(pair.server.settings) as connection:
        repository = naming.known_repository(connection, pair.ada.repository)
        ada = caller_by_id(connection, known_account(connection, "ada"))
        for number in range(205):  # more than are handed to git by name
            path_locks.lock(connection, ada, repository, f"locked/{number} *?[a]é.txt")
    pair.lock()
    pair.bob_work.commit("change", {"locked/7 *?[a]é.txt": "new\n", "locked/other.txt": "new\n"})
    words = pair.refused("main:refs/heads/mine")
    assert "locked/7 *?[a]é.txt is locked by" in words
    assert "other" not in words
    pair.bob_work.git("switch", "--quiet", "-c", "topic", "origin/main")
    pair.bob_work.commit("topic", {"topic.txt": "topic\n"})
    pair.ada_work.commit("ada's", {MODEL: "ada's\n"})
    pair.ada_work.git("push", "--quiet", "origin", "main")
    pair.bob_work.git("fetch", "--quiet")
    pair.bob_work.git("merge", "--quiet", "--no-edit", "origin/main")
    pair.lands("topic")


def test_histories_without_a_common_commit(pair: Pair) -> None:
    pair.lock("fresh.txt")
    pair.bob_work.git("switch", "--quiet", "--orphan", "fresh")
    pair.bob_work.commit("fresh", {"other-fresh.txt": "new\n"})
    pair.lands("fresh")
    pair.bob_work.git("merge", "--quiet", "--no-edit", "--allow-unrelated-histories", "origin/main")
    pair.lands("fresh")
    pair.bob_work.git("switch", "--quiet", "--orphan", "fresh2")
    pair.bob_work.commit("fresh", {"fresh.txt": "new\n"})
    assert "fresh.txt is locked by" in pair.refused("fresh2")


def test_deleting_the_only_branch_with_the_owners_change_is_one(pair: Pair) -> None:
    pair.lands("main:refs/heads/release")
    pair.lock()
    pair.ada_work.commit("ada's", {MODEL: "ada's\n"})
    pair.ada_work.git("push", "--quiet", "origin", "main:release")
    assert "is locked by" in pair.refused(":release")
    pair.ada_work.git("push", "--quiet", "origin", "main")
    pair.lands(":release")


@pytest.mark.thorough
@pytest.mark.parametrize("ref", ["refs/heads/rel", "refs/tags/v1"])
def test_a_ref_that_is_deleted_and_made_again_is_moved(pair: Pair, ref: str) -> None:
    first = pair.ada_work.head()
    pair.ada_work.commit("mine", {MODEL: "ada's\n"})
    pair.ada_work.git("push", "--quiet", "origin", "main", f"HEAD:{ref}")
    pair.bob_work.git("pull", "--quiet")
    pair.lock("models")
    pair.lands("main:keep", "main~1:refs/heads/from-an-old-one")  # what is new may begin anywhere
    pair.lands(f":{ref}")
    assert f"{MODEL} (the folder models) is locked by {pair.ada.name}" in pair.refused(f"{first}:{ref}")
    pair.bob_work.commit("elsewhere", {"readme.txt": "two\n"})
    pair.lands(f"HEAD:{ref}")  # it has what stood there
    pair.lands(f":{ref}")
    pair.ada_work.git("push", "--quiet", "origin", f"{first}:{ref}")  # the owner may


def test_what_was_deleted_by_the_owner_or_before_the_lock_is_free(pair: Pair) -> None:
    first = pair.ada_work.head()
    pair.ada_work.commit("mine", {MODEL: "ada's\n"})
    pair.ada_work.git("push", "--quiet", "origin", "main", "HEAD:before", "HEAD:own")
    pair.ada_work.git("push", "--quiet", "origin", ":before")
    pair.lock()
    pair.ada_work.git("push", "--quiet", "origin", ":own")
    pair.lands(f"{first}:refs/heads/before", f"{first}:refs/heads/own")


def test_where_git_is_elsewhere_locks_are_advice_and_rules_are_refused(
    server: RunningServer, http: httpx.Client, request: pytest.FixtureRequest
) -> None:
    elsewhere = Person(http, "admin", server.admin_token, f"admin/{own_name(request)}")
    assert elsewhere.ask("PUT", json={"kind": "external"}).status_code == 200
    assert elsewhere.ask("POST", "locks", json={"path": "model.bin"}).json()["enforced"] is False
    assert [lock["enforced"] for lock in elsewhere.ask("GET", "locks").json()["locks"]] == [False]
    status, message = said(elsewhere.ask("PUT", "rules", json={"pattern": "refs/heads/main"}))
    assert (status, message.split(",")[0]) == (409, f"The git history of {elsewhere.repository} is not hosted here")
    with server.looking_into() as connection:  # one from before rules were refused there
        number = select(repositories.c.id).where(repositories.c.folded == elsewhere.repository.partition("/")[2])
        row = {"repository": connection.execute(number).scalar_one(), "pattern": "refs/heads/main", "push": "owner"}
        connection.execute(insert(rules).values(row | {"force": "nobody", "evidence": "", "created": 0}))
    listed = elsewhere.ask("GET", "rules").json()
    assert (listed["enforced"], [rule["pattern"] for rule in listed["rules"]]) == (False, ["refs/heads/main"])
