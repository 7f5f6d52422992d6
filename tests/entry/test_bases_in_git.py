"""New versions cost what changed: through real git, the real filter and a real store."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy
import pytest

from git_lepton.format.pointer import parse_pointer
from git_lepton.store.local_store import LocalStore
from tests.support.git_sandbox import GitSandbox
from tests.support.tiny_models import safetensors
from tests.workflow.versions import all_tuned, bf16, bf16_bytes, chunks_of, content, fp32, model, tuned, weights

OLD = model(layers=5, rows=512)
FILE = "model.safetensors"


@pytest.fixture
def sandbox(tmp_path: Path) -> GitSandbox:
    sandbox = GitSandbox.create(tmp_path / "repository", track="*.safetensors")
    sandbox.write(".gitattributes", "*.safetensors filter=lepton -merge -text\n")
    return sandbox


def store_of(sandbox: GitSandbox) -> LocalStore:
    return LocalStore(sandbox.lepton)


def cost(sandbox: GitSandbox, name: str, data: bytes) -> float:
    """Add a file: by which share of its length the store grew. The file comes back as it was."""
    with store_of(sandbox) as store:
        before = store.usage().stored_bytes
    sandbox.write(name, data)
    sandbox.git("add", name)
    with store_of(sandbox) as store:
        after = store.usage().stored_bytes
        oid = parse_pointer(sandbox.blob(name, "")).oid
        assert content(store, oid) == data
        assert max(depth for _, _, depth in chunks_of(store, oid)) <= 3
    return (after - before) / len(data)


def test_a_fine_tuned_version_is_much_smaller_than_a_first_one(sandbox: GitSandbox) -> None:
    first = cost(sandbox, FILE, bf16(OLD))
    sandbox.git("commit", "-qm", "first")
    assert cost(sandbox, FILE, bf16(all_tuned(OLD, much=1e-5))) < 0.25 * first


def test_of_one_changed_tensor_in_ten_little_more_than_that_is_coded(sandbox: GitSandbox) -> None:
    old = model(layers=10, rows=512)
    cost(sandbox, FILE, bf16(old))
    sandbox.git("commit", "-qm", "first")
    changed = dict(old) | {"layer.4.weight": tuned(old["layer.4.weight"])}
    assert cost(sandbox, FILE, bf16(changed)) < 0.08


def test_a_new_row_a_new_name_another_order_and_new_metadata_cost_next_to_nothing(sandbox: GitSandbox) -> None:
    old = model(layers=3, rows=4096, columns=256)
    cost(sandbox, FILE, bf16(old))
    sandbox.git("commit", "-qm", "first")
    names = list(old)
    row = 256 * 2 / len(bf16(old))
    assert cost(sandbox, FILE, bf16(old, {"epoch": "7"})) < 0.01
    assert cost(sandbox, FILE, bf16({name: old[name] for name in reversed(names)})) < 0.01
    assert cost(sandbox, FILE, bf16({f"model.{name}": values for name, values in old.items()})) < 0.01
    grown = dict(old) | {names[0]: numpy.concatenate([old[names[0]], weights(9, 1, 256)])}
    assert cost(sandbox, FILE, bf16(grown)) < 0.01 + row


def test_the_same_weights_in_a_narrower_float_cost_little(sandbox: GitSandbox) -> None:
    cost(sandbox, FILE, fp32(OLD))
    sandbox.git("commit", "-qm", "first")
    assert cost(sandbox, FILE, bf16(OLD)) < 0.05


def test_a_conversion_that_is_added_beside_its_source_finds_it(sandbox: GitSandbox) -> None:
    """Both in one `git add`: git does not know the first yet when the second comes."""
    sandbox.write("a-fp32.safetensors", fp32(OLD))
    sandbox.write("b-bf16.safetensors", bf16(OLD))
    sandbox.git("add", ".")
    with store_of(sandbox) as store:
        chunks = chunks_of(store, parse_pointer(sandbox.blob("b-bf16.safetensors", "")).oid)
    assert [depth for raw, _, depth in chunks if raw > 10_000] == [1] * 5


def test_shards_find_their_tensors_in_what_was_one_file(sandbox: GitSandbox) -> None:
    cost(sandbox, FILE, bf16(OLD))
    sandbox.git("commit", "-qm", "first")
    new = all_tuned(OLD, much=1e-5)
    names = list(new)
    sandbox.git("rm", "-q", "--cached", FILE)
    assert cost(sandbox, "model-00001-of-00002.safetensors", bf16({name: new[name] for name in names[:2]})) < 0.2
    assert cost(sandbox, "model-00002-of-00002.safetensors", bf16({name: new[name] for name in names[2:]})) < 0.2
    sandbox.git("commit", "-qm", "sharded")
    newer = all_tuned(new, much=1e-5)
    assert cost(sandbox, "model-00001-of-00002.safetensors", bf16({name: newer[name] for name in names[2:]})) < 0.2


def test_a_merge_takes_the_nearer_parent_for_each_tensor(sandbox: GitSandbox) -> None:
    ours, theirs = all_tuned(OLD, 1, 1e-3), all_tuned(OLD, 30, 1e-3)
    sandbox.commit("base", {FILE: bf16(OLD)})
    sandbox.git("switch", "-qc", "theirs")
    sandbox.commit("theirs", {FILE: bf16(theirs)})
    sandbox.git("switch", "-q", "main")
    sandbox.commit("ours", {FILE: bf16(ours)})
    assert sandbox.run("merge", "-q", "theirs").returncode
    merged = {name: tuned((ours, theirs)[n % 2][name], n, 1e-5) for n, name in enumerate(OLD)}
    assert cost(sandbox, FILE, bf16(merged)) < 0.2


def test_an_amended_version_is_coded_against_what_it_replaces(sandbox: GitSandbox) -> None:
    sandbox.commit("first", {FILE: bf16(OLD)})
    new = all_tuned(OLD, much=1e-5)
    assert cost(sandbox, FILE, bf16(new)) < 0.2
    sandbox.git("commit", "-q", "--amend", "-m", "amended")
    assert cost(sandbox, FILE, bf16(all_tuned(new, 50, 1e-5))) < 0.2


def test_an_imported_model_is_the_base_of_what_says_so(sandbox: GitSandbox, tmp_path: Path) -> None:
    snapshot = tmp_path / "models--acme--tiny" / "snapshots" / "77"
    snapshot.mkdir(parents=True)
    (snapshot / FILE).write_bytes(bf16(OLD))
    subprocess.run([sys.executable, "-m", "git_lepton", "import", snapshot], cwd=sandbox.folder, check=True, capture_output=True)
    sandbox.write("mine/config.json", json.dumps({"base_model_name_or_path": "acme/tiny"}))
    assert cost(sandbox, f"mine/{FILE}", bf16(all_tuned(OLD, much=1e-5))) < 0.2


def test_optimizer_states_and_odd_tensors_of_a_checkpoint_come_back(sandbox: GitSandbox) -> None:
    def checkpoint(step: int) -> bytes:
        moments = {name: tuned(values, step, 1e-3) ** 2 for name, values in OLD.items()}
        tensors = {f"exp_avg_sq.{name}": ("F32", list(v.shape), v.tobytes()) for name, v in moments.items()}
        tensors["step"] = ("I64", [], step.to_bytes(8, "little"))
        tensors["mask"] = ("BOOL", [4], bytes([1, 0, step % 2, 1]))
        tensors["weight"] = ("BF16", [512, 128], bf16_bytes(OLD["layer.0.weight"]))
        return safetensors(tensors)

    first = cost(sandbox, FILE, checkpoint(1))
    sandbox.git("commit", "-qm", "first")
    assert cost(sandbox, FILE, checkpoint(2)) < 0.97 * first


def test_a_damaged_base_stops_nothing(sandbox: GitSandbox) -> None:
    sandbox.commit("first", {FILE: bf16(OLD)})
    for pack in sandbox.lepton.glob("packs/*.pack"):
        data = bytearray(pack.read_bytes())
        data[len(data) // 2] ^= 1
        pack.chmod(0o644)
        pack.write_bytes(data)
    assert 0.1 < cost(sandbox, FILE, bf16(all_tuned(OLD, much=1e-5))) < 0.4  # one tensor by itself


def test_a_base_that_lepton_toml_names_and_git_lacks_is_said_once(sandbox: GitSandbox) -> None:
    sandbox.write("lepton.toml", '[model.new]\nfiles = ["new/*"]\nbase = "HEAD:old.safetensors"\n')
    sandbox.git("add", "lepton.toml")
    for seed in (1, 2):
        sandbox.write(f"new/{seed}.safetensors", bf16(model(seed, layers=1, rows=64)))
    said = sandbox.stderr("add", "-A")
    assert said.count("new was stored without its base HEAD:old.safetensors: git has no weights there") == 1


def test_an_unstored_base_stops_nothing(sandbox: GitSandbox) -> None:
    sandbox.commit("first", {FILE: bf16(OLD)})
    for pack in sandbox.lepton.glob("packs/*.pack"):
        pack.unlink()
    assert cost(sandbox, FILE, bf16(all_tuned(OLD))) > 0.6


def test_what_is_stored_asks_git_for_nothing(sandbox: GitSandbox, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    sandbox.commit("first", {FILE: bf16(OLD)})
    sandbox.path(FILE).touch()
    sandbox.git("add", FILE, GIT_TRACE=str(trace))
    assert "filter-process" in trace.read_text()
    assert "cat-file" not in trace.read_text()
    sandbox.write(FILE, bf16(all_tuned(OLD)))
    sandbox.git("add", FILE, GIT_TRACE=str(trace))
    assert trace.read_text().count("cat-file") == 2


def test_only_allowed_codecs_are_written(sandbox: GitSandbox) -> None:
    sandbox.git("config", "lepton.codecs", "0,1,2")
    sandbox.commit("first", {FILE: bf16(OLD)})
    assert cost(sandbox, FILE, bf16(all_tuned(OLD, much=1e-5))) > 0.5


def test_ten_worktrees_at_once(sandbox: GitSandbox, tmp_path: Path) -> None:
    sandbox.commit("first", {FILE: bf16(OLD)})
    sandbox.write(".git/info/attributes", "*.safetensors filter=lepton -text\n")
    versions = [bf16(all_tuned(OLD, 100 * number, 1e-5)) for number in range(10)]
    trees = [GitSandbox(tmp_path / f"tree{number}") for number in range(10)]
    for tree, data in zip(trees, versions, strict=True):
        sandbox.git("worktree", "add", "-q", "--no-checkout", str(tree.folder))
        tree.write(FILE, data)
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda tree: tree.git("add", FILE), trees))
    with store_of(sandbox) as store:
        assert store.usage().stored_bytes < 2.5 * len(versions[0])
        for tree, data in zip(trees, versions, strict=True):
            assert content(store, parse_pointer(tree.blob(FILE, "")).oid) == data
        assert list(store.verify()) == []
