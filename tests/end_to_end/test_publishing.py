"""Nobody's weights are published by being a base: what a stranger can decode of a public repository is what its refs reach."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest

from git_lepton.format.coding.encoded import RELEASED
from git_lepton.format.identifiers import ChunkId
from git_lepton.format.pointer import parse_pointer
from git_lepton.store.local_store import LocalStore
from git_lepton.workflow.clean import clean
from tests.end_to_end.conftest import HERE
from tests.end_to_end.world import World
from tests.workflow.versions import all_tuned, bf16, chunks_of, model

pytestmark = HERE

NAME = "model.safetensors"
SECRET = model(layers=3, rows=512)
TUNED = all_tuned(SECRET, 1, 1e-5)
BETTER = all_tuned(TUNED, 2, 1e-5)


def tensors_of(world: World, data: bytes) -> list[ChunkId]:
    """The chunks of a version's tensors, added to a store of its own."""
    with TemporaryDirectory(dir=world.folder) as apart, LocalStore(Path(apart)) as store:
        manifest = store.manifest(parse_pointer(clean(BytesIO(data), store, RELEASED)).oid)
    assert manifest is not None
    return [entry.chunk for entry in manifest.entries if entry.length > 10_000]


def fresh_branch(world: World, place: Path, name: str) -> None:
    """A branch on which no version of the model has been."""
    world.git(place, "checkout", "-q", "--orphan", name)
    world.git(place, "rm", "-q", "--cached", NAME)


def stranger_lacks(world: World, url: str, chunks: list[ChunkId], branch: str = "main") -> int:
    """How many of these chunks somebody without an account does not get with a clone."""
    environment = dict(world.environment)
    world.environment.pop("GIT_LEPTON_TOKEN", None)
    world.environment["GIT_TERMINAL_PROMPT"] = "0"
    place = world.folder / f"stranger-{len(list(world.folder.iterdir()))}"
    world.git(world.folder, "clone", "-q", "-b", branch, url, str(place))
    world.environment.clear()
    world.environment.update(environment)
    with LocalStore(place / ".git/lepton") as store:
        return len(store.missing(chunks))


def public(world: World, url: str) -> None:
    assert world.server
    world.server.run("repo", "visibility", f"admin/{url.rpartition('/')[2]}", "public")


def audit(world: World, action: str) -> list[dict[str, object]]:
    assert world.server
    headers = {"Authorization": f"Bearer {world.server.admin_token}", "Lepton-Protocol": "1"}
    reply = httpx.get(f"{world.server.url}/api/v1/audit", params={"action": action, "limit": 1000}, headers=headers)
    return list(reply.json()["rows"])


def test_a_private_base_stays_private_until_its_reader_allows_it(world: World, url: str) -> None:
    vault, shop = world.repository("vault", remote=f"{url}-vault"), world.repository("shop", remote=url)
    lender, borrower = (f"admin/{name.rpartition('/')[2]}" for name in (f"{url}-vault", url))
    world.commit(vault, NAME, bf16(SECRET))
    world.git(vault, "push", "-q", "-u", "origin", "main")
    secret = tensors_of(world, bf16(SECRET))
    (shop / "lepton.toml").write_text(f'[model.tuned]\nfiles = ["*"]\nbase = "{lender}@main:{NAME}"\n')
    world.git(shop, "add", "lepton.toml")
    world.git(shop, "lepton", "fetch")
    world.commit(shop, "readme", b"hello")
    world.git(shop, "push", "-q", "-u", "origin", "main")
    public(world, url)

    world.commit(shop, NAME, bf16(TUNED), "tuned")
    pushed = world.run(["git", "push"], shop)
    assert f"git lepton trust --base {lender}" in pushed.stderr.decode()
    assert stranger_lacks(world, url, secret) == len(secret)

    world.git(
        shop, "config", f"lepton.{url.removeprefix('lepton::')}.allowBase", lender
    )  # as a tool, or an archive, may leave it
    fresh_branch(world, shop, "more")
    other = bf16(all_tuned(SECRET, 7, 1e-5))
    world.commit(shop, NAME, other, "tuned otherwise")
    world.git(shop, "push", "-q", "origin", "more")
    assert stranger_lacks(world, url, secret, "more") == len(secret)

    world.git(shop, "lepton", "trust", "--base", lender)
    assert json.loads(world.git(shop, "lepton", "trust", "--base", "--list", "--json")) == [lender.lower()]
    fresh_branch(world, shop, "most")
    world.commit(shop, NAME, bf16(all_tuned(SECRET, 8, 1e-5)), "tuned once more")
    said = world.run(["git", "push", "-q", "origin", "most"], shop).stderr.decode()
    assert f"as you allowed, {len(secret)} chunks" in said and lender.lower() in said.lower()
    assert stranger_lacks(world, url, secret, "most") == 0
    rows = [row for row in audit(world, "base") if row["repository"] in (lender, borrower)]
    assert {(row["action"], row["account"], row["repository"], row["subject"]) for row in rows} == {
        ("base.allow", "admin", lender, borrower),
        ("base.lend", "admin", lender, borrower),
        ("base.borrow", "admin", borrower, lender),
    }
    assert {row["detail"]["chunks"] for row in rows if row["action"] != "base.allow"} == {len(secret)}  # type: ignore[index]
    assert lender in world.server.run("repo", "bases", borrower)  # type: ignore[union-attr]


@pytest.mark.thorough
def test_what_was_reset_away_stays_where_it_was_pushed(world: World, url: str) -> None:
    """A commit that only a private remote got; the next version is made from the file that it left."""
    place = world.repository(remote=url)
    world.git(place, "remote", "add", "private", f"{url}-private")
    world.commit(place, NAME, bf16(SECRET), "first")
    world.git(place, "push", "-q", "origin", "main")
    public(world, url)
    world.commit(place, NAME, bf16(TUNED), "not for the public")
    world.git(place, "push", "-q", "private", "main")
    dropped = tensors_of(world, bf16(TUNED))
    world.git(place, "reset", "-q", "--hard", "HEAD~1")
    world.commit(place, NAME, bf16(BETTER), "for the public")
    text = world.git(place, "cat-file", "blob", f"HEAD:{NAME}").encode()
    with LocalStore(place / ".git/lepton") as store:
        assert any(depth > 0 for _, _, depth in chunks_of(store, parse_pointer(text).oid))
    world.git(place, "push", "-q", "origin", "main")
    assert stranger_lacks(world, url, dropped) == len(dropped)
