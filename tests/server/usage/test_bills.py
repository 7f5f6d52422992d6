"""The bill: by repository, tenant and branch; what is counted once, and what is only there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lepton_server.admin import usage
from tests.server.conftest import BOTH_DATABASES
from tests.server.maintenance.hosted import Hosted
from tests.server.weights_client import Connect, Noise, Weights, weights
from tests.support.running_server import RunningServer

pytestmark = BOTH_DATABASES


def stored(*files: Weights) -> int:
    """Bytes that the chunks of these files take, each once."""
    return sum({chunk.name.raw: len(chunk.payload) for file in files for chunk in file.chunks}.values())


def test_what_is_shared_is_told_to_who_runs_the_server_only(server: RunningServer, connect: Connect, noise: Noise) -> None:
    common, own = noise(5_000), noise(3_000)
    both, single = weights(common), weights(common, own)
    one, two = connect("admin/bill-one"), connect("admin/bill-two")
    assert one.upload(both, single)["state"] == two.upload(both)["state"] == "done"
    bills = {bill.repository: bill for bill in usage.usage(server.settings, owner="admin").repositories}
    first, second = bills[one.name], bills[two.name]
    assert (first.files, first.file_bytes, first.chunks, first.raw) == (2, 13_000, 2, 8_000)
    assert (first.stored, first.shared) == (stored(single), stored(both))
    assert (second.stored, second.unique, second.shared) == (stored(both), 0, stored(both))
    (tenant,) = usage.usage(server.settings, tenant="default").tenants
    assert tenant.alone - tenant.stored == stored(both)
    assert tenant.packs > tenant.stored
    assert two.ask("GET", "usage").json()["stored"] == stored(both)
    told = server.run("usage", "--repository", one.name)
    assert one.name in told and "unique" in told
    assert usage.usage(server.settings, repository=one.name).repositories == [first]


def test_a_branch_costs_what_it_reaches_and_frees_what_nothing_else_does(
    server: RunningServer, connect: Connect, noise: Noise, tmp_path: Path
) -> None:
    shared, old, new, tagged = noise(4_000), weights(noise(6_000)), weights(noise(2_000)), weights(noise(1_000))
    main_file, trial_file = weights(shared, noise(500)), weights(shared, noise(700))
    client = connect()
    hosted = Hosted(client, tmp_path / "work")
    hosted.version(old)
    hosted.version(main_file)
    assert client.upload(trial_file, new, tagged)["state"] == "done"
    hosted.work.git("checkout", "--quiet", "-b", "trial")
    hosted.commit(trial_file, new)
    hosted.commit(trial_file, tagged)
    hosted.work.git("tag", "v1", "HEAD")
    hosted.commit(trial_file, tagged, name="again")
    hosted.push("trial", "v1")
    answer: dict[str, Any] = client.ask("GET", "usage", params={"branches": "true"}).json()
    main, trial = answer["branches"]
    assert (main["branch"], main["files"], main["stored"]) == ("main", 2, stored(old, main_file))
    assert (trial["branch"], trial["files"], trial["stored"]) == ("trial", 5, stored(old, main_file, trial_file, new, tagged))
    assert (main["only"], trial["only"]) == (0, 0)  # trial grew out of main, and the tag holds what trial has
    hosted.push(":v1")
    main, trial = client.ask("GET", "usage", params={"branches": "true"}).json()["branches"]
    assert trial["only"] == stored(trial_file, new, tagged) - len_of(shared)
    assert json.loads(server.run("usage", "--branches", client.name, "--json"))["branches"] == [main, trial]
    assert answer["stored"] == stored(old, main_file, trial_file, new, tagged)


def len_of(data: bytes) -> int:
    return stored(weights(data))
