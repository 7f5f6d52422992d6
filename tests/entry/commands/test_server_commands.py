"""`git lepton token|grant|revoke|access|rule|org|repo` against a real server: what its operator does in a shell, by those who have the
right, from where they work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.entry.commands.conftest import Lepton, Outcome
from tests.support.git_sandbox import GitSandbox
from tests.support.running_server import RunningServer

At = Callable[..., Outcome]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def at(server: RunningServer, lepton: Lepton, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> At:
    """at(TOKEN, "repo", "list"): the command on that server, outside of any repository."""

    def run(token: str, *words: str, here: Path | None = None, code: int = 0) -> Outcome:
        monkeypatch.setenv("GIT_LEPTON_TOKEN", token)
        monkeypatch.setenv("GIT_LEPTON_HOST", server.url.partition("//")[2])
        done = lepton(*words, *([] if here else ["--server", server.url]), at=here or tmp_path)
        assert done.code == code, done
        return done

    return run


def test_a_repository_from_its_beginning_to_its_end(server: RunningServer, at: At) -> None:
    ann = server.make_user("ann")
    assert at(ann, "repo", "create", "ann/models", "--json").json["visibility"] == "private"
    assert at(ann, "repo", "visibility", "ann/models", "internal", "--json").json["visibility"] == "internal"
    assert "it is ann/weights now" in at(ann, "repo", "rename", "ann/models", "weights").err
    assert "it is ann/other now" in at(ann, "repo", "fork", "ann/weights", "ann/other").err
    shown = at(ann, "repo", "show", "ann/models").out  # by its old name
    assert shown == "ann/weights  hosted  internal  you are its owner\n"
    assert [line.split()[0] for line in at(ann, "repo", "list").out.splitlines()] == ["ann/other", "ann/weights"]
    renamed = at(ann, "repo", "delete", "ann/models", code=2).err
    assert "ann/models is called ann/weights now" in renamed and "git lepton repo delete ann/weights" in renamed
    assert "git lepton repo undelete ann/other" in at(ann, "repo", "delete", "ann/other").err
    (deleted,) = at(ann, "repo", "list", "--deleted", "--json").json
    assert deleted["name"] == "ann/other"
    assert at(ann, "repo", "show", "ann/other", code=6).out == ""
    assert at(ann, "repo", "undelete", "ann/other", "--as", "again", "--json").json["name"] == "ann/again"
    assert "no deleted repository" in at(ann, "repo", "undelete", "ann/other", code=2).err
    assert "no branch 'main'" in at(ann, "repo", "default-branch", "ann/weights", "main", code=2).err
    assert "is called ann/weights" not in at(ann, "repo", "list").out


def test_making_a_repository_says_what_is_there(server: RunningServer, at: At) -> None:
    ivy = server.make_user("ivy")
    made = at(ivy, "repo", "create", "ivy/models", "--visibility", "public")
    assert made.out == "" and "made the repository ivy/models (hosted, public)\n" in made.err
    there = "here is a repository ivy/models already (hosted, public)"
    assert there in at(ivy, "repo", "create", "IVY/models", "--visibility", "public").err
    assert there in at(ivy, "repo", "create", "ivy/models", "--external", "--visibility", "private", code=2).err
    at(ivy, "repo", "rename", "ivy/models", "weights")
    assert "made the repository ivy/models (" in at(ivy, "repo", "create", "ivy/models").err  # its old name is free


def test_who_has_access_and_why(server: RunningServer, at: At) -> None:
    bea, bob = server.make_user("bea"), server.make_user("bob")
    at(bea, "repo", "create", "bea/models")
    assert "bob is granted maintainer in bea/models" in at(bea, "grant", "bob", "maintainer", "bea/models").err
    people = {row["name"]: (row["role"], row["by"]) for row in at(bob, "access", "bea/models", "--json").json["accounts"]}
    assert people["bea"] == ("owner", ["owns it"]) and people["bob"] == ("maintainer", ["granted maintainer"])
    assert people["admin"] == ("owner", ["admin of the server"])
    told = at(bea, "access", "bea/models")
    assert "bob                   maintainer  granted maintainer\n" in told.out and "it is private" in told.err
    assert at(bea, "revoke", "bob", "bea/models", "--json").err == ""
    assert "nothing was granted to bob in bea/models" in at(bea, "revoke", "bob", "bea/models").err
    assert "has no repository bea/models" in at(bob, "access", "bea/models", code=6).err
    at(bea, "grant", "bob", "owner", "bea/models")
    assert at(bob, "revoke", "bob", "bea/models").err == "git-lepton: bob is no longer granted owner in bea/models\n"
    assert "There is no role 'king'" in at(bea, "grant", "bob", "king", "bea/models", code=2).err
    assert "does not lie under acme" in at(bea, "grant", "acme/red", "writer", "bea/models", code=2).err


def test_rules(server: RunningServer, at: At) -> None:
    cat = server.make_user("cat")
    at(cat, "repo", "create", "cat/models")
    at(cat, "rule", "set", "cat/models", "refs/heads/main", "--push", "maintainer", "--evidence", "eval, size")
    at(cat, "rule", "set", "cat/models", "refs/heads/main", "--force", "nobody")
    assert at(cat, "rule", "list", "cat/models").out == "refs/heads/main  push maintainer  force nobody  evidence eval,size\n"
    assert "push maintainer" in at(cat, "rule", "set", "cat/models", "refs/heads/main").err
    at(cat, "rule", "remove", "cat/models", "refs/heads/main")
    at(cat, "rule", "set", "cat/models", "refs/heads/main")
    at(cat, "rule", "delete", "cat/models", "refs/heads/main")
    assert at(cat, "rule", "list", "cat/models", "--json").json == {"rules": [], "enforced": True}
    at(cat, "repo", "create", "cat/elsewhere", "--external")
    assert "no rule could be enforced" in at(cat, "rule", "set", "cat/elsewhere", "refs/heads/main", code=2).err


def test_tokens(server: RunningServer, at: At) -> None:
    dan = server.make_user("dan")
    at(dan, "repo", "create", "dan/models")
    made = at(
        dan, "token", "create", "--label", "ci", "--scopes", "read", "--repository", "dan/models", "--days", "1"
    ).out.strip()
    assert made.startswith("lpt_")
    (number,) = [row["id"] for row in at(dan, "token", "list", "--json").json if row["label"] == "ci"]
    assert "ci  read  dan/models  ends" in at(dan, "token", "list").out
    renewed = at(dan, "token", "rotate", str(number), "--overlap", "10m").out.strip()
    assert at(renewed, "repo", "show", "dan/models").out.startswith("dan/models")
    assert "lacks the scope" in at(renewed, "repo", "delete", "dan/models", code=6).err
    (left,) = {row["id"] for row in at(dan, "token", "list", "--json").json if row["label"] == "ci"} - {number}
    at(dan, "token", "revoke", str(left))
    at(renewed, "repo", "list", code=6)
    assert "you have no token 99999" in at(dan, "token", "revoke", "99999", code=6).err
    none = at(server.admin_token, "token", "create", "--robot", "nobody", code=2).err
    assert "There is no robot 'nobody'" in none and "user add NAME --robot" in none


def test_organisations(server: RunningServer, at: At) -> None:
    eve = server.make_user("eve")
    with httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {server.admin_token}"}) as admin:
        admin.put("/api/v1/accounts/acme", json={"kind": "organisation"})
        admin.put("/api/v1/organisations/acme/members/eve", json={"role": "owner"})
        admin.put("/api/v1/organisations/acme/teams/red")
        admin.put("/api/v1/organisations/acme/teams/red/members/eve")
    at(eve, "repo", "create", "acme/models")
    at(eve, "grant", "acme/red", "writer", "acme/models")
    at(eve, "grant", "eve", "reader", "acme/models")
    told = at(eve, "revoke", "eve", "acme/models").err
    assert "eve is no longer granted reader" in told and "eve is still owner there: " in told
    assert "team acme/red granted writer" in told
    assert "acme/red is no longer granted writer in acme/models" in at(eve, "revoke", "acme/red", "acme/models").err
    assert at(eve, "org", "members", "acme").out.split() == ["eve", "owner"]
    assert at(eve, "org", "list", "--json").json == [{"name": "acme", "role": "owner"}]
    assert at(eve, "org", "teams", "acme", "--json").json == [{"name": "red", "members": ["eve"]}]


def test_an_error_is_json_too(server: RunningServer, at: At, lepton: Lepton, tmp_path: Path) -> None:
    fay = server.make_user("fay")
    done = at(fay, "repo", "show", "no/such", "--json", code=6)
    assert done.json["error"]["code"] == "not_allowed" and done.json["error"]["message"] in done.err
    assert at(fay, "grant", "fay", "king", "fay/x", "--json", code=6).json["error"]["hint"]
    at(fay, "repo", "create", "fay/x")
    assert at(fay, "grant", "fay", "king", "fay/x", "--json", code=2).json["error"]["code"] == "bad_request"
    assert set(lepton("status", "--json", at=tmp_path).json["error"]) == {"code", "message", "hint"}
    assert lepton("status", "--json", "--nonsense", at=tmp_path).json["error"]["code"] == "wrong_use"


def test_the_server_of_the_repository_here(server: RunningServer, at: At, tmp_path: Path) -> None:
    gil = server.make_user("gil")
    work = GitSandbox.create(tmp_path / "work", filter=None, track=None)
    work.git("remote", "add", "origin", f"lepton::{server.url}/gil/models")
    at(gil, "repo", "create", "gil/models", here=work.folder)
    assert at(gil, "access", here=work.folder, code=0).out.startswith("admin ")
    assert "--server alone names none" in at(gil, "access", code=2).err


def test_without_a_server_it_says_how_to_name_one(lepton: Lepton, tmp_path: Path) -> None:
    done = lepton("repo", "list", at=tmp_path)
    assert done.code == 2 and "--server" in done.err
