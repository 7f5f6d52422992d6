"""What a person sees of quotas: a warning, a refusal that says what to do, and the server's bill."""

from __future__ import annotations

import json

import pytest

from tests.end_to_end.world import World
from tests.support.fine_tuned import weights
from tests.support.tiny_models import safetensors

_COUNT = 1 << 15  # values of a tensor: 64 KiB


@pytest.fixture(scope="module")
def backend() -> str:
    """One kind is enough: what the client says does not depend on it."""
    return "sqlite-disk"


def model(seed: int) -> bytes:
    return safetensors({"layer": ("BF16", [_COUNT], weights(seed, _COUNT))})


def test_a_full_repository(world: World, url: str) -> None:
    assert world.server
    work, name = world.repository("work", remote=url), url.split("/", 3)[3]
    world.commit(work, "model.safetensors", model(1))
    world.git(work, "push", "-q", "origin", "main")
    used = json.loads(world.git(work, "lepton", "du", "--remote", "--json"))["stored"]
    world.server.run("quota", "set", name, str(used * 11 // 10))
    world.commit(work, "second.safetensors", model(2))
    said = world.git(work, "push", "origin", "main", fails=True)
    assert f"{name} holds" in said and "it may store" in said  # the warning
    assert f"{name} may store" in said and "nothing of it was stored" in said and "hint:" in said
    assert world.git(work, "ls-remote", "origin", "main").split()[0] == world.git(work, "rev-parse", "HEAD~1").strip()
    world.server.run("quota", "set", name, "none")
    world.git(work, "push", "-q", "origin", "main")
    told = world.git(work, "lepton", "du", "--remote")
    assert f"stored for {name}" in told and "main" in told.splitlines()[-1]
