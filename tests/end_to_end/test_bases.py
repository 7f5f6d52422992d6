"""Versions coded against bases travel through a real server: as differences, and to clients that lack the bases."""

from __future__ import annotations

from pathlib import Path

import pytest

from git_lepton.format.pointer import parse_pointer
from git_lepton.store.local_store import LocalStore
from tests.end_to_end.conftest import EMBEDDED_AND_TEAM
from tests.end_to_end.world import World
from tests.workflow.versions import all_tuned, bf16, chunks_of, model

pytestmark = EMBEDDED_AND_TEAM

NAME = "model.safetensors"
FIRST = model(layers=3, rows=512)
SECOND = all_tuned(FIRST, 1, 1e-5)
THIRD = all_tuned(SECOND, 20, 1e-5)


def depths(place: Path, world: World) -> list[int]:
    text = world.git(place, "cat-file", "blob", f"HEAD:{NAME}").encode()
    with LocalStore(place / ".git/lepton") as store:
        return [depth for raw, _, depth in chunks_of(store, parse_pointer(text).oid) if raw > 10_000]


def stored(place: Path) -> int:
    return sum(pack.stat().st_size for pack in (place / ".git/lepton/packs").glob("*.pack"))


def test_differences_travel_and_a_client_without_the_bases_gets_them_too(world: World, url: str) -> None:
    place = world.repository(remote=url)
    for tensors in (FIRST, SECOND):
        world.commit(place, NAME, bf16(tensors), "version")
    world.git(place, "push", "-q", "-u", "origin", "main")
    assert depths(place, world) == [1, 1, 1]
    world.git(world.folder, "clone", "-q", "--depth=1", url, "shallow")
    shallow = world.folder / "shallow"
    assert (shallow / NAME).read_bytes() == bf16(SECOND)
    before = stored(shallow)
    world.commit(place, NAME, bf16(THIRD), "third")
    world.git(place, "push", "-q")
    assert depths(place, world) == [2, 2, 2]
    world.git(shallow, "pull", "-q")
    assert (shallow / NAME).read_bytes() == bf16(THIRD)
    assert stored(shallow) - before < 0.2 * len(bf16(THIRD))
    world.clean(shallow)


@pytest.mark.thorough
def test_a_base_in_another_repository_is_fetched_used_offline_and_pushed(world: World, url: str) -> None:
    base = world.repository("base", remote=url)
    world.commit(base, NAME, bf16(FIRST), "base")
    world.git(base, "push", "-q", "-u", "origin", "main")
    repository = url.rpartition("admin/")[2]
    place = world.repository("tuned", remote=f"{url}-tuned")
    (place / "lepton.toml").write_text(f'[model.tuned]\nfiles = ["*"]\nbase = "admin/{repository}@main:{NAME}"\n')
    world.git(place, "add", "lepton.toml")
    world.git(place, "lepton", "fetch")
    world.commit(place, NAME, bf16(SECOND), "tuned")
    assert depths(place, world) == [1, 1, 1]
    world.git(place, "push", "-q", "-u", "origin", "main")
    world.git(world.folder, "clone", "-q", f"{url}-tuned", "elsewhere")
    assert (world.folder / "elsewhere" / NAME).read_bytes() == bf16(SECOND)
