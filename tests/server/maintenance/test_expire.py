"""expire: weights of old versions go, their pointers stay, with a word on each; nothing that a kept version has is touched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from git_lepton.wire.protocol import STORED
from lepton_server.admin import maintenance
from lepton_server.maintenance.expire import Expiry, NoHistoryHere
from lepton_server.maintenance.retention import Keep
from tests.server.deltas import fetch
from tests.server.maintenance.conftest import Keep as Keeping
from tests.server.maintenance.hosted import Hosted
from tests.server.weights_client import Connect, Noise, Weights, WeightsClient, weights
from tests.support.git_sandbox import GitEnded
from tests.support.running_server import RunningServer


@pytest.fixture
def hosted(connect: Connect, tmp_path: Path) -> Hosted:
    return Hosted(connect(), tmp_path / "work")


@pytest.fixture
def expire(server: RunningServer, hosted: Hosted) -> Callable[..., int]:
    """Expires with these options; how many objects."""

    def run(path: str | None = None, *, dry_run: bool = False, **keep: object) -> int:
        expiry = Expiry(Keep(**keep), path, "old", "ada")  # type: ignore[arg-type]
        return maintenance.expire(server.settings, hosted.client.name, expiry, dry_run=dry_run).objects

    return run


def stones(client: WeightsClient, *files: Weights) -> list[dict[str, object]]:
    reply = client.ask("POST", "tombstones", "read", content=b"".join(file.oid.raw for file in files))
    assert reply.status_code == 200, reply.text
    found: list[dict[str, object]] = reply.json()["tombstones"]
    return found


def test_only_the_newest_versions_stay(hosted: Hosted, expire: Callable[..., int], noise: Noise, keep: Keeping) -> None:
    files = [weights(noise(1000)) for _ in range(4)]
    for file in files:
        hosted.version(file)
    assert expire(last=2, dry_run=True) == 2
    assert hosted.client.check(*(file.oid for file in files)) == [2, 2, 2, 2]
    assert expire(last=2) == 2
    assert expire(last=2) == 0
    reply = hosted.client.ask("POST", "objects", "check", content=b"".join(file.oid.raw for file in files))
    assert (list(reply.content), reply.headers["Lepton-Tombstones"]) == ([0, 0, 2, 2], "2")
    found = stones(hosted.client, *files)
    assert [(stone["oid"], stone["size"], stone["kind"], stone["reason"], stone["by"]) for stone in found] == [
        (file.oid.hex, 1000, "expired", "old", "ada") for file in files[:2]
    ]
    keeper = keep(hosted.client)
    keeper.end_sessions()
    assert keeper.gc().dropped_chunks == 2
    assert [fetch(hosted.client, file.names) for file in files[2:]] == [[file.data] for file in files[2:]]


def test_tags_and_what_is_young_stay(hosted: Hosted, expire: Callable[..., int], noise: Noise) -> None:
    old, tagged, young, newest = (weights(noise(1000)) for _ in range(4))
    hosted.version(old, GIT_COMMITTER_DATE="2020-01-01T00:00:00Z")
    hosted.version(tagged, GIT_COMMITTER_DATE="2020-01-02T00:00:00Z")
    hosted.work.git("tag", "-a", "-m", "kept", "v1")
    hosted.push("v1")
    hosted.version(young)
    hosted.version(newest, GIT_COMMITTER_DATE="2020-01-03T00:00:00Z")
    assert expire(last=1, younger_s=86_400.0) == 1
    assert hosted.client.check(old.oid, tagged.oid, young.oid, newest.oid) == [0, 2, 2, 2]
    assert expire(last=1, younger_s=86_400.0, tags=False) == 1
    assert hosted.client.check(tagged.oid, young.oid, newest.oid) == [0, 2, 2]


def test_what_a_kept_version_has_too_stays(hosted: Hosted, expire: Callable[..., int], noise: Noise) -> None:
    first, second = weights(noise(1000)), weights(noise(1000))
    hosted.version(first)
    hosted.version(second)
    hosted.version(first)
    assert expire(last=1) == 1
    assert hosted.client.check(first.oid, second.oid) == [2, 0]


def test_only_at_these_paths(hosted: Hosted, expire: Callable[..., int], noise: Noise) -> None:
    """An object that also stood at another path stays."""
    here, there, both, newest = (weights(noise(1000)) for _ in range(4))
    hosted.client.upload(here, there, both, newest)
    hosted.commit(here, both, name="old/model")
    hosted.commit(there, both, name="other/model")
    hosted.work.git("rm", "-q", "-r", "old", "other")
    hosted.version(newest)
    assert expire("old/**", last=1) == 1
    assert hosted.client.check(here.oid, there.oid, both.oid) == [0, 2, 2]
    assert expire("*.bin", last=1) == 2
    assert hosted.client.check(here.oid, there.oid, both.oid, newest.oid) == [0, 0, 0, 2]


def test_other_branches_and_refs_keep_theirs(hosted: Hosted, expire: Callable[..., int], noise: Noise) -> None:
    old, on_branch, on_note, newest = (weights(noise(1000)) for _ in range(4))
    hosted.version(old)
    hosted.client.upload(on_branch, on_note)
    hosted.commit(on_branch)
    hosted.push("HEAD:side")
    hosted.commit(on_note)
    hosted.push("HEAD:refs/keep/this")
    hosted.work.git("reset", "-q", "--hard", "HEAD~2")
    hosted.version(newest)
    assert expire(last=1) == 1
    assert hosted.client.check(old.oid, on_branch.oid, on_note.oid, newest.oid) == [0, 2, 2, 2]


@pytest.mark.thorough
def test_histories_with_expired_pointers_go_on_being_pushed(
    hosted: Hosted, expire: Callable[..., int], noise: Noise, server: RunningServer, connect: Connect
) -> None:
    old, newest, unknown = (weights(noise(1000)) for _ in range(3))
    before = hosted.version(old)
    hosted.version(newest)
    expire(last=1)
    hosted.work.git("checkout", "-q", "-b", "again", before)
    hosted.work.git("commit", "-q", "--amend", "-m", "rewritten: its pointers are looked at anew")
    hosted.push("HEAD:again")
    hosted.work.write("model0.bin", f"version git-lepton/v1\noid sha256:{old.oid.hex}\nsize 999\n")
    hosted.commit()
    with pytest.raises(GitEnded, match="another size"):
        hosted.push("HEAD:again")
    hosted.commit(unknown)
    with pytest.raises(GitEnded):
        hosted.push("HEAD:again")
    other = Hosted(connect("admin/knows-nothing-of-it"), hosted.work.folder.parent / "other")
    other.commit(old)
    with pytest.raises(GitEnded, match="not stored"):
        other.push()


def test_who_pushes_expired_weights_again_brings_them_back(hosted: Hosted, expire: Callable[..., int], noise: Noise) -> None:
    old, newest = weights(noise(1000)), weights(noise(1000))
    hosted.version(old)
    hosted.version(newest)
    expire(last=1)
    assert len(stones(hosted.client, old)) == 1
    assert hosted.client.upload(old)["state"] == "done"
    assert stones(hosted.client, old) == []
    assert hosted.client.check(old.oid) == [STORED]


def test_without_its_history_here_nothing_expires(server: RunningServer, connect: Connect) -> None:
    client = connect()
    client.ask("PUT", json={"kind": "external"})
    with pytest.raises(NoHistoryHere):
        maintenance.expire(server.settings, client.name, Expiry(Keep(), None, "old", "ada"))


def test_external_repositories_let_go_of_what_a_maintainer_says(
    server: RunningServer, connect: Connect, noise: Noise, keep: Keeping, hosted: Hosted
) -> None:
    client = connect("admin/external-unlinks")
    client.ask("PUT", json={"kind": "external"})
    file, kept = weights(noise(1000)), weights(noise(1000))
    client.upload(file, kept)
    token = server.make_user("writes-there")
    server.grant("writes-there", "writer", client.name)
    writer = connect(client.name, token)
    body = file.oid.raw + noise(32)
    assert writer.ask("POST", "objects", "unlink", content=body).status_code == 403
    hosted.client.upload(file)
    assert hosted.client.ask("POST", "objects", "unlink", content=body).status_code == 409
    server.grant("writes-there", "maintainer", client.name)
    assert writer.ask("POST", "objects", "unlink", content=body).json() == {"objects": 1}
    assert client.check(file.oid, kept.oid) == [0, 2]
    assert server.run("unlink", client.name, kept.oid.hex) == "unlinked: 1 objects"
    keeper = keep(client)
    keeper.end_sessions()
    assert keeper.gc().dropped_chunks == 1  # the hosted one goes on holding the other


def test_the_command_wants_to_know_what_stays(server: RunningServer, hosted: Hosted, noise: Noise) -> None:
    hosted.version(weights(noise(10)))
    with pytest.raises(AssertionError, match="which versions are to stay"):
        server.run("expire", hosted.client.name)
    assert "0 files" in server.run("expire", hosted.client.name, "--keep-last", "3", "--older-than", "90d", "--dry-run")
