"""What groups of tensors take."""

from __future__ import annotations

from pathlib import Path

from git_lepton.workflow.usage.tensors import BETWEEN, SMALL, tensor_costs
from git_lepton.workspace import open_workspace
from tests.support.git_sandbox import GitSandbox
from tests.support.tiny_models import model, safetensors


def test_layers_are_one_group_and_all_bytes_are_counted(tmp_path: Path) -> None:
    sandbox = GitSandbox.create(tmp_path / "repo", track="*.safetensors")
    files = {"a.safetensors": model(1), "b.safetensors": model(1, changed=2), "c.safetensors": b"no tensors here" * 100}
    sandbox.commit("first", files)
    with open_workspace(sandbox.folder) as workspace:
        costs = {cost.group: cost for cost in tensor_costs(workspace)}
        usage = workspace.store.usage()
    layers = costs["layer.*.weight"]
    assert (layers.tensors, layers.elements) == (6, ("F32",))
    assert (layers.bill.logical, layers.bill.unique) == (6 * 64 * 256 * 4, 4 * 64 * 256 * 4)
    assert sum(cost.bill.logical for cost in costs.values()) == sum(map(len, files.values()))
    assert sum(cost.bill.stored for cost in costs.values()) < usage.stored_bytes
    assert costs[BETWEEN].tensors == 0


def test_only_whole_parts_of_a_name_are_left_open(tmp_path: Path) -> None:
    sandbox = GitSandbox.create(tmp_path / "repo", track="*.safetensors")
    names = ["h.0.conv1", "h.1.conv1", "h.1.conv2", "block_3/w2", "4"]
    sandbox.commit("first", {"a.safetensors": safetensors({name: ("U8", [512], name.encode().ljust(512)) for name in names})})
    with open_workspace(sandbox.folder) as workspace:
        found = {cost.group: cost.tensors for cost in tensor_costs(workspace)}
    assert found == {BETWEEN: 0, "h.*.conv1": 2, "h.*.conv2": 1, "block_*/w2": 1, "*": 1}


def test_small_tensors_that_share_a_chunk_are_counted_together(tmp_path: Path) -> None:
    sandbox = GitSandbox.create(tmp_path / "repo", track="*.safetensors")
    sizes = {"a.scale": 4, "b.scale": 4, "b.weight": 512, "c.scale": 4}
    sandbox.commit("first", {"a.safetensors": safetensors({name: ("U8", [n], bytes(n)) for name, n in sizes.items()})})
    with open_workspace(sandbox.folder) as workspace:
        found = {cost.group: cost.tensors for cost in tensor_costs(workspace)}
    assert found == {BETWEEN: 0, SMALL: 2, "b.weight": 1, "c.scale": 1}


def test_a_version_that_is_not_here_has_no_groups(tmp_path: Path) -> None:
    sandbox = GitSandbox.create(tmp_path / "repo", track="*.safetensors")
    sandbox.commit("first", {"a.safetensors": model(1)})
    assert sandbox.run("clone", "--quiet", "--no-checkout", ".", str(tmp_path / "clone")).returncode == 0
    with open_workspace(tmp_path / "clone") as workspace:
        assert tensor_costs(workspace) == []
