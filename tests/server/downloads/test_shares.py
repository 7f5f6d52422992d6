"""Shares: what a link gives to somebody without an account, for how long, how often, and what it never gives away."""

from __future__ import annotations

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from sqlalchemy import delete, select

from git_lepton.format.manifest import ENTRY, HEAD_BYTES
from lepton_server import backends
from lepton_server.backends import open_database
from lepton_server.database.tables import accounts, audit, object_links, objects
from tests.server.conftest import BOTH_DATABASES
from tests.server.teams import Person, own_name, said
from tests.server.weights_client import Noise, Weights, WeightsClient, make_pack, weights
from tests.support.running_server import RunningServer

pytestmark = BOTH_DATABASES
PIECE = 600_000  # bytes; of three a window is not filled, of forty it is


class Shared:
    """A repository that holds one file, and links to it."""

    def __init__(self, server: RunningServer, maker: Person, file: Weights) -> None:
        self.server, self.maker, self.file = server, maker, file
        self.visitor = maker.http

    def offer(self, path: str = "models/big.bin", **other: Any) -> dict[str, Any]:
        return {"path": path, "oid": self.file.oid.hex, "size": len(self.file.data)} | other

    def ask(self, **asked: Any) -> httpx.Response:
        body = {"revision": "v1:models", "files": [self.offer()], "expires_in": 3600} | asked
        return self.maker.ask("POST", "shares", json=body)

    def link(self, **asked: Any) -> str:
        """The path of a new link."""
        reply = self.ask(**asked)
        assert reply.status_code == 201, reply.text
        return str(reply.json()["url"]).removeprefix(self.server.url)

    def get(self, link: str, path: str = "models/big.bin", **headers: str) -> httpx.Response:
        return self.visitor.get(f"{link}/{path}", headers=headers)

    def is_over(self, link: str) -> bool:
        """Whether the link gives nothing; asserts that it says so as one that never was."""
        never = self.visitor.get("/s/" + "A" * 43)
        for reply in self.visitor.get(link), self.get(link):
            if reply.status_code < 400:
                return False
            assert said(reply) == said(never)
        return True


@pytest.fixture(scope="module")
def people(server: RunningServer) -> dict[str, str]:
    """Tokens."""
    return {name: server.make_user(name) for name in ("ada", "bob", "mia", "rita", "leaver")}


@pytest.fixture
def shared(
    server: RunningServer, http: httpx.Client, people: dict[str, str], request: pytest.FixtureRequest, noise: Noise
) -> Shared:
    repository = f"admin/{own_name(request)}"
    file = weights(*(noise(PIECE) for _ in range(3)))
    with WeightsClient(server.url, server.admin_token, repository) as client:
        client.upload(file)
    server.grant("ada", "writer", repository)
    return Shared(server, Person(http, "ada", people["ada"], repository), file)


def other(shared: Shared, people: dict[str, str], name: str, role: str) -> Person:
    """Somebody else with a role in the repository."""
    shared.server.grant(name, role, shared.maker.repository)
    return Person(shared.visitor, name, people[name], shared.maker.repository)


def test_a_link_gives_the_file_to_who_has_no_account(shared: Shared) -> None:
    link = shared.link()
    listed = shared.visitor.get(link).json()
    asked = shared.visitor.head(link)
    assert (asked.status_code, asked.content) == (200, b"")
    assert listed["revision"] == "v1:models"
    assert listed["files"] == [shared.offer() | {"left": None}]
    assert abs(listed["expires"] - time.time() * 1000 - 3_600_000) < 60_000
    reply = shared.get(link)
    assert (reply.status_code, reply.content) == (200, shared.file.data)
    assert reply.headers["etag"] == f'"{shared.file.oid.hex}"'
    assert reply.headers["content-length"] == str(len(shared.file.data))
    assert reply.headers["content-disposition"] == "attachment; filename*=UTF-8''big.bin"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["content-type"] == "application/octet-stream"
    assert shared.get(link, "models/other.bin").status_code == 404


def test_a_file_of_many_windows(shared: Shared, noise: Noise) -> None:
    big = weights(*[noise(PIECE) for _ in range(40)], b"the last")
    with WeightsClient(shared.server.url, shared.server.admin_token, shared.maker.repository) as client:
        client.upload(big, packs=[make_pack(big.unique)])
    shared.file = big
    link = shared.link()
    assert hashlib.sha256(shared.get(link).content).digest() == big.oid.raw
    middle = shared.get(link, Range="bytes=16999999-17500000")
    assert middle.content == big.data[16_999_999:17_500_001]


def test_a_part(shared: Shared) -> None:
    link, size = shared.link(), len(shared.file.data)
    for asked, start, end in (
        ("0-0", 0, 1),
        ("5-", 5, size),
        ("599990-600010", 599_990, 600_011),
        ("-7", size - 7, size),
        ("1799999-99999999", size - 1, size),
    ):
        reply = shared.get(link, Range=f"bytes={asked}")
        assert (reply.status_code, reply.content) == (206, shared.file.data[start:end]), asked
        assert reply.headers["content-range"] == f"bytes {start}-{end - 1}/{size}"


def test_parts_that_are_none(shared: Shared) -> None:
    link = shared.link()
    for asked in "bytes=1800000-", "bytes=-0":
        reply = shared.get(link, Range=asked)
        assert (reply.status_code, reply.headers["content-range"]) == (416, "bytes */1800000")
    for headers in (
        {"Range": "bytes=7-3"},
        {"Range": "bytes=1-2,4-5"},
        {"Range": "lines=1-2"},
        {"Range": "bytes=1-", "If-Range": '"another"'},
    ):
        reply = shared.get(link, **headers)
        assert (reply.status_code, reply.content == shared.file.data) == (200, True), headers


def test_only_what_begins_at_the_beginning_counts(shared: Shared) -> None:
    link = shared.link(max_downloads=2)
    assert shared.visitor.head(f"{link}/models/big.bin").headers["content-length"] == str(len(shared.file.data))
    assert shared.get(link, Range="bytes=100-").status_code == 404  # there is nothing to go on with
    assert shared.visitor.get(link).json()["files"][0]["left"] == 2
    assert shared.get(link).status_code == 200
    assert shared.get(link, Range="bytes=0-9").status_code == 206
    assert shared.visitor.get(link).json()["files"][0]["left"] == 0
    assert said(shared.get(link)) == said(shared.visitor.get("/s/" + "A" * 43))
    assert shared.get(link, Range="bytes=100-").status_code == 206


def test_who_goes_on_for_ever_is_stopped(shared: Shared) -> None:
    link = shared.link(max_downloads=1)
    assert shared.get(link).status_code == 200
    assert shared.get(link, Range="bytes=1-").status_code == 206
    for _ in range(50):  # what went out is counted when it has gone
        if shared.get(link, Range="bytes=1-").status_code == 404:
            return
        time.sleep(0.1)
    raise AssertionError("it goes on for ever")


def test_of_many_at_once_one_gets_the_last_download(shared: Shared) -> None:
    link = shared.link(max_downloads=1)
    with ThreadPoolExecutor(6) as pool:
        statuses = sorted(pool.map(lambda _: shared.get(link).status_code, range(6)))
    assert statuses == [200] + [404] * 5


def test_the_limit_is_of_each_file(shared: Shared) -> None:
    link = shared.link(files=[shared.offer("a.bin"), shared.offer("b.bin")], max_downloads=1)
    assert [shared.get(link, name).status_code for name in ("a.bin", "a.bin", "b.bin")] == [200, 404, 200]


def test_it_expires(shared: Shared) -> None:
    link = shared.link(expires_in=1)
    assert not shared.is_over(link)
    time.sleep(1.1)
    assert shared.is_over(link)


def test_it_is_revoked_by_its_maker_or_a_maintainer(shared: Shared, people: dict[str, str]) -> None:
    first, second = shared.ask().json(), shared.ask().json()
    paths = [str(made["url"]).removeprefix(shared.server.url) for made in (first, second)]
    assert other(shared, people, "bob", "writer").ask("DELETE", "shares", str(first["id"])).status_code == 403
    assert not shared.is_over(paths[0])
    assert shared.maker.ask("DELETE", "shares", str(first["id"])).status_code == 204
    assert shared.maker.ask("DELETE", "shares", str(first["id"])).status_code == 204
    assert other(shared, people, "mia", "maintainer").ask("DELETE", "shares", str(second["id"])).status_code == 204
    assert shared.is_over(paths[0])
    assert shared.is_over(paths[1])
    assert shared.maker.ask("DELETE", "shares", "123456").status_code == 404


def test_who_may_make_one(shared: Shared, people: dict[str, str]) -> None:
    reader = other(shared, people, "rita", "reader")
    body = {"revision": "v1", "files": [shared.offer()], "expires_in": 60}
    assert reader.ask("POST", "shares", json=body).status_code == 403
    assert reader.ask("GET", "shares").status_code == 403
    assert Person(shared.visitor, "", "", shared.maker.repository).ask("POST", "shares", json=body).status_code == 401


def test_it_ends_with_its_makers_right(shared: Shared, people: dict[str, str]) -> None:
    maker = other(shared, people, "leaver", "writer")
    link = Shared(shared.server, maker, shared.file).link()
    assert not shared.is_over(link)
    shared.server.grant("leaver", "reader", maker.repository)
    assert shared.is_over(link)
    shared.server.grant("leaver", "writer", maker.repository)
    assert not shared.is_over(link)
    with backends.changes(shared.server.settings) as connection:
        connection.execute(accounts.update().where(accounts.c.name == "leaver").values(disabled=1))
    assert shared.is_over(link)
    with backends.changes(shared.server.settings) as connection:
        connection.execute(accounts.update().where(accounts.c.name == "leaver").values(disabled=None))


def test_it_ends_when_the_repository_lets_the_file_go(shared: Shared) -> None:
    link = shared.link()
    with backends.changes(shared.server.settings) as connection:
        connection.execute(delete(object_links).where(object_links.c.oid == shared.file.oid.raw))
    assert shared.is_over(link)


def test_only_what_the_repository_holds_can_be_shared(shared: Shared, noise: Noise) -> None:
    elsewhere = weights(noise(1000))
    with WeightsClient(shared.server.url, shared.server.admin_token, f"{shared.maker.repository}-2") as client:
        client.upload(elsewhere)
    nowhere = weights(noise(1001))
    answers = {
        said(shared.ask(files=[{"path": "x.bin", "oid": file.oid.hex, "size": len(file.data)}])) for file in (elsewhere, nowhere)
    }
    assert answers == {(424, f"The weights of x.bin are not stored in {shared.maker.repository}.")}
    assert shared.ask(files=[shared.offer(size=5)]).status_code == 424


def test_shares_that_cannot_be_made(shared: Shared) -> None:
    wrong: list[dict[str, Any]] = [
        {"files": []},
        {"files": [shared.offer(), shared.offer()]},
        {"files": [shared.offer("../x")]},
        {"files": [shared.offer(oid="no")]},
        {"expires_in": 0},
        {"expires_in": 10**9},
        {"max_downloads": 0},
        {"max_downloads": 10**30},
        {"revision": ""},
        {"revision": "\x1b[2J"},
        {"revision": "x" * 600},
    ]
    for asked in wrong:
        assert said(shared.ask(**asked))[0] == 400, asked


def test_a_browser_gets_a_page_without_scripts(shared: Shared) -> None:
    evil = "models/<script>alert('1')</script>.bin"
    link = shared.link(files=[shared.offer(evil)], revision='"><img src=x onerror=alert(2)>', max_downloads=1)
    reply = shared.visitor.get(link, headers={"Accept": "text/html,*/*"})
    assert reply.headers["content-type"].startswith("text/html")
    assert "<script" not in reply.text
    assert "<img" not in reply.text
    policy = reply.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert reply.headers["referrer-policy"] == "no-referrer"
    assert reply.headers["cache-control"] == "no-store"
    href = reply.text.split('href="')[1].split('"')[0]
    assert shared.visitor.get(f"/s/{href}").content == shared.file.data
    after = shared.visitor.get(link, headers={"Accept": "text/html"})
    assert "no downloads left" in after.text
    assert "href" not in after.text
    over = shared.visitor.get("/s/nothing", headers={"Accept": "text/html"})
    assert (over.status_code, "There is nothing at this link" in over.text) == (404, True)


def test_a_link_is_in_no_log_and_not_in_the_database(shared: Shared) -> None:
    link = shared.link(revision="secret test")
    secret = link.rpartition("/")[2]
    assert len(secret) == 43
    shared.get(link)
    shared.visitor.get(f"{link}/%ff")
    shared.visitor.post(link)
    listed = shared.maker.ask("GET", "shares").text
    database = open_database(shared.server.settings)
    try:
        with database.read() as connection:
            notes = str(connection.execute(select(audit)).all())
    finally:
        database.close()
    for text in (shared.server.log.read_text(), listed, notes):
        assert secret not in text
    assert "share.download" in notes
    assert '"v1' not in listed
    assert "secret test" in listed


def test_damage_breaks_the_download_off_and_says_nothing_false(shared: Shared) -> None:
    link = shared.link()
    with backends.changes(shared.server.settings) as connection:
        held = connection.execute(select(objects.c.id, objects.c.manifest).where(objects.c.oid == shared.file.oid.raw)).one()
        broken = bytearray(held.manifest)
        broken[HEAD_BYTES + ENTRY.size] ^= 1  # the name of the second chunk
        connection.execute(objects.update().where(objects.c.id == held.id).values(manifest=bytes(broken)))
    with pytest.raises(httpx.RemoteProtocolError):
        shared.get(link)


def test_of_many_who_go_on_at_once_no_more_than_twice_the_file_is_sent(shared: Shared) -> None:
    link = shared.link(max_downloads=1)
    assert shared.get(link, Range="bytes=0-0").status_code == 206
    with ThreadPoolExecutor(8) as pool:
        sent = sum(
            len(reply.content) for reply in pool.map(lambda _: shared.get(link, Range="bytes=1-"), range(8)) if reply.is_success
        )
    assert 0 < sent <= 2 * len(shared.file.data)


def test_who_may_not_read_gives_nothing_away(shared: Shared) -> None:
    blind = shared.server.run("token", "create", "ada", "--scopes", "write")
    maker = Person(shared.visitor, "ada", blind, shared.maker.repository)
    assert Shared(shared.server, maker, shared.file).ask().status_code == 403
