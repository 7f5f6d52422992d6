"""Versions of models: what git and the local store say of them, and what has no say."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from git_lepton.evidence.gates import Evaluation
from git_lepton.evidence.identity import NotText
from git_lepton.evidence.models import Model
from git_lepton.format.lepton_toml import BadLeptonToml
from git_lepton.git.blob_content import BlobMissing
from git_lepton.git.repository import GitRepository
from git_lepton.models.tensor_cache import WeightsNotHere
from git_lepton.models.tree import NoSuchRevision, NotMerged, index_tree
from git_lepton.models.version import BaseNotFound, NoInputs
from tests.models.repository_with_model import MODEL, Reading, reading, weights
from tests.support.git_sandbox import GitSandbox

SHARD = "model/a.safetensors"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A first version of the model is committed."""
    made = GitSandbox.create(tmp_path_factory.mktemp("template"), track="*.safetensors")
    made.commit("first", {SHARD: weights("x", "y"), "model/config.json": "{}", "README": "of nothing"})
    return made.folder


@pytest.fixture
def sandbox(template: Path, tmp_path: Path) -> GitSandbox:
    """A copy of it."""
    shutil.copytree(template, tmp_path / "repository", symlinks=True)
    return GitSandbox(tmp_path / "repository")


def test_what_is_staged_counts_and_the_work_tree_does_not(sandbox: GitSandbox) -> None:
    with reading(sandbox) as found:
        first = found.version("HEAD")
        assert found.version() == first
        sandbox.write("model/config.json", '{"changed": 1}')
        sandbox.write(SHARD, b"changed")
        sandbox.write("model/new.safetensors", b"new")
        assert found.version() == first
        sandbox.git("add", "model/config.json")
        assert found.version().digest not in ("", first.digest)
        assert found.version("HEAD") == first


def test_a_version_knows_its_size_and_its_parameters(sandbox: GitSandbox) -> None:
    sandbox.write("model/b.safetensors", weights("z"))
    sandbox.git("add", "--all")
    with reading(sandbox) as found:
        version = found.version()
        assert (version.size_bytes, version.parameters) == (len(weights("x", "y")) + len(weights("z")) + 2, 3 * 4096)
        assert [file.path for file in version.files] == [SHARD, "model/b.safetensors", "model/config.json"]
        assert [pointer.size for pointer in version.pointers] == [len(weights("x", "y")), len(weights("z"))]
    sandbox.write(".gitattributes", "a.safetensors filter=lepton -text\n")
    sandbox.git("rm", "--quiet", "--force", "--cached", "model/b.safetensors")
    sandbox.git("add", "--all")
    with reading(sandbox) as found:
        assert found.version().parameters is None  # those of an ordinary file are not known, so nobody knows the sum


def test_shards_names_and_neighbours_make_no_difference_and_a_file_that_counts_does(sandbox: GitSandbox) -> None:
    with reading(sandbox) as found:
        first = found.version().digest
        (sandbox.folder / SHARD).unlink()
        sandbox.write("model/1.safetensors", weights("y"))
        sandbox.write("model/2.safetensors", weights("x"))
        sandbox.write("model/model.safetensors.index.json", "{}")
        sandbox.write("elsewhere", "of no model")
        sandbox.git("add", "--all")
        assert found.version().digest == first
        sandbox.git("mv", "model", "moved")
        assert found.version(model=Model("m", ("moved",))).digest == first
        sandbox.write("moved/2.safetensors", weights("x", fill=2))
        sandbox.git("add", "--all")
        assert found.version(model=Model("m", ("moved",))).digest != first


def test_the_index_of_a_commit_of_some_files_is_the_one_that_counts(sandbox: GitSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox.write("model/config.json", '{"staged": 1}')
    sandbox.git("add", "model/config.json")
    sandbox.write("README", "committed alone")
    hook = sandbox.write(".git/hooks/pre-commit", '#!/bin/sh\ncp "$GIT_INDEX_FILE" "$PWD/index-of-hook"\n')
    hook.chmod(0o755)
    sandbox.git("commit", "--quiet", "--message", "only one", "README")
    monkeypatch.chdir(sandbox.folder)
    with reading(sandbox) as found:
        assert found.version().digest != found.version("HEAD~1").digest
        monkeypatch.setenv("GIT_INDEX_FILE", str(sandbox.path("index-of-hook")))
        found.git = GitRepository.find()
        assert found.version().digest == found.version("HEAD~1").digest


def test_a_file_with_a_conflict_is_in_no_version(sandbox: GitSandbox) -> None:
    sandbox.git("switch", "--quiet", "--create", "other")
    sandbox.commit("theirs", {"model/config.json": "theirs", "lepton.toml": "[model]"})
    sandbox.git("switch", "--quiet", "main")
    sandbox.commit("ours", {"model/config.json": "ours", "lepton.toml": "[gates]"})
    assert sandbox.run("merge", "other").returncode == 1
    with reading(sandbox) as found:
        with pytest.raises(NotMerged, match=r"model/config\.json has a conflict"):
            found.version()
        with pytest.raises(NotMerged, match=r"lepton\.toml has a conflict"):
            found.versions.gates(found.tree())
        assert found.version("HEAD").digest
        assert found.versions.version(found.tree(), Model("m", ("README",)))


def test_links_are_ordinary_files_even_where_they_look_like_pointers(sandbox: GitSandbox) -> None:
    pointer = sandbox.blob(SHARD)
    with reading(sandbox) as found:
        before = found.version()
        blob = sandbox.git("hash-object", "-w", "--stdin", stdin=pointer).strip()
        sandbox.git("update-index", "--add", "--cacheinfo", f"120000,{blob},model/link")
        version = found.version()
        assert [file.content for file in version.files if file.path.endswith("link")] == [blob]
        assert version.digest != before.digest
        assert version.size_bytes == before.size_bytes + len(pointer)


@pytest.mark.skipif(os.name == "nt", reason="names of files are text there")
def test_a_name_that_is_not_text_is_refused_with_its_name(sandbox: GitSandbox) -> None:
    (sandbox.folder / os.fsdecode(b"model/\xff.txt")).write_bytes(b"x")
    sandbox.git("add", "--all")
    with reading(sandbox) as found:
        with pytest.raises(NotText, match=r"model/\\udcff\.txt is not UTF-8"):
            found.version()
        with pytest.raises(NotText):
            found.versions.evaluation(found.tree(), Evaluation("e", "true", (), ("model/*.txt",)))
        above = os.fsdecode(b"\xff/model")
        shutil.move(sandbox.path("model"), sandbox.path("kept"))
        sandbox.path(os.fsdecode(b"kept/\xff.txt")).unlink()
        sandbox.path(above).parent.mkdir()
        shutil.move(sandbox.path("kept"), sandbox.path(above))
        sandbox.git("add", "--all")
        first = found.version("HEAD").digest
        assert found.version(model=Model("m", ("*/model",))).digest == first  # a folder above the model has no say


def test_gates_are_those_of_the_tree(sandbox: GitSandbox) -> None:
    with reading(sandbox) as found:
        assert found.versions.gates(found.tree("HEAD")).models == {}
        sandbox.write("lepton.toml", '[model.m]\nfiles = ["model/*"]\n[gate.model.size_bytes]\nmax = 9\n')
        assert found.versions.gates(found.tree()).models == {}
        sandbox.git("add", "--all")
        gates = found.versions.gates(found.tree())
        assert (list(gates.models), gates.gates[0].name) == (["m"], "model.size_bytes")
        sandbox.write("lepton.toml", "[model")
        sandbox.git("add", "--all")
        with pytest.raises(BadLeptonToml, match=r"the staged lepton\.toml is broken"):
            found.versions.gates(found.tree())


def test_inputs_are_named_by_their_content_and_each_glob_has_to_match(sandbox: GitSandbox) -> None:
    with reading(sandbox) as found:
        known = found.versions.evaluation(found.tree(), Evaluation("e", "go", (), ("README", SHARD)))
        assert known.inputs == {
            "README": f"git:{sandbox.git('rev-parse', ':README').strip()}",
            SHARD: f"sha256:{hashlib.sha256(weights('x', 'y')).hexdigest()}",
        }
        with pytest.raises(NoInputs, match=r"\[eval\.e\] in lepton\.toml has 'data/\*'") as error:
            found.versions.evaluation(found.tree(), Evaluation("e", "go", (), ("README", "data/*")))
        assert "git add data/*" in error.value.hint


def test_an_adapter_is_another_with_another_base(sandbox: GitSandbox) -> None:
    sandbox.git("tag", "v1", sandbox.commit("base", {"base/w.safetensors": weights("w")}))
    sandbox.commit("adapter", {"lora/adapter_config.json": "{}", "lora/d.safetensors": weights("d")})
    written = ("v1:base", "v1:./base/", ":base")
    with reading(sandbox) as found:
        first = found.version(model=_lora("v1:base"))
        assert [file.path for file in first.base] == ["base/w.safetensors"]
        assert len(first.pointers) == 2
        assert {found.version(model=_lora(base)).digest for base in written} == {first.digest}
        assert first.digest != found.version(model=_lora("")).digest
        assert found.version(model=_lora("acme/base@v1:base")).base == ()
    sandbox.commit("another base", {"base/w.safetensors": weights("w", fill=3)})
    with reading(sandbox) as found:
        same = {base: found.version(model=_lora(base)).digest == first.digest for base in written}
        assert same == {"v1:base": True, "v1:./base/": True, ":base": False}
        assert found.version("HEAD~1", _lora(":base")).digest == first.digest
    sandbox.git("tag", "--force", "v1")
    with reading(sandbox) as found:
        assert found.version(model=_lora("v1:base")).digest == found.version(model=_lora(":base")).digest != first.digest


def _lora(base: str) -> Model:
    return Model("lora", ("lora/*",), base)


def test_a_base_that_is_not_here_is_said_where_it_is_needed(sandbox: GitSandbox) -> None:
    models = [Model("m", ("model/*",), base) for base in ("v9:base", "HEAD:nothing", "HEAD", "HEAD:", "--all:base", ":nothing")]
    with reading(sandbox) as found:
        for model in models:
            fine_tuned = found.version(model=model)
            assert (fine_tuned.digest, fine_tuned.base) == (found.version().digest, ())
        sandbox.write("model/adapter_config.json", "{}")
        sandbox.git("add", "--all")
        for model in models:
            with pytest.raises(BaseNotFound, match=r"the base of \[model\.m\]") as error:
                found.version(model=model)
            assert error.value.hint


def test_weights_that_are_not_here_are_named_with_the_command_that_brings_them(sandbox: GitSandbox, tmp_path: Path) -> None:
    clone = sandbox.clone(tmp_path / "clone", filter=None)
    with reading(clone) as found:
        with pytest.raises(WeightsNotHere, match=rf"the weights of {SHARD} are not on this machine") as error:
            found.version()
        assert error.value.hint == "git lepton fetch brings them."
        with pytest.raises(WeightsNotHere) as error:
            found.version("HEAD")
        assert error.value.hint == f"git lepton fetch {sandbox.head()[:12]} brings them."
    with reading(sandbox) as found:
        version = found.version()
    shutil.copytree(sandbox.lepton / "tensors", clone.lepton / "tensors", dirs_exist_ok=True)
    with reading(clone) as found:
        assert found.version() == version  # what its tensors are is remembered, and that is enough


def test_of_a_partial_clone_all_that_a_version_needs_comes_at_once(
    sandbox: GitSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.commit("many", {f"model/{n}.txt": f"text {n}" for n in range(5)})
    sandbox.git("config", "uploadpack.allowFilter", "true")
    sandbox.git("config", "uploadpack.allowAnySHA1InWant", "true")
    with reading(sandbox) as found:
        whole = found.version()
    clone = GitSandbox(tmp_path / "clone")
    clone.folder.mkdir()
    clone.git("clone", "--quiet", "--filter=blob:none", "--no-checkout", sandbox.folder.as_uri(), ".")
    shutil.copytree(sandbox.lepton, clone.lepton)
    log = tmp_path / "git.log"
    monkeypatch.setenv("GIT_TRACE", str(log))
    with reading(clone) as found:
        assert found.version("HEAD") == whole
    fetches = [line for line in log.read_text().splitlines() if "fetch" in line and "built-in: git fetch" in line]
    assert len(fetches) == 1


def test_a_blob_that_git_has_lost_is_no_ordinary_file(sandbox: GitSandbox) -> None:
    blob = sandbox.git("rev-parse", f":{SHARD}").strip()
    (sandbox.path(".git/objects") / blob[:2] / blob[2:]).unlink()
    with reading(sandbox) as found, pytest.raises(BlobMissing, match=blob):
        found.version()


def test_a_version_of_many_files_takes_few_processes_and_no_weights(sandbox: GitSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox.commit("many", {f"model/{n}.json": f"[{n}]" for n in range(300)})
    with reading(sandbox) as found:
        version = found.version("HEAD")
        assert len(version.files) == 302
        assert found.store.reads
    started: list[object] = []
    popen = subprocess.Popen

    def counted(*arguments: object, **more: object) -> object:
        started.append(arguments)
        return popen(*arguments, **more)  # type: ignore[call-overload]

    with reading(sandbox) as found:
        monkeypatch.setattr(subprocess, "Popen", counted)
        assert found.version("HEAD") == version
        assert not found.store.reads
    assert len(started) <= 6


def test_names_that_are_no_commits_are_refused(sandbox: GitSandbox) -> None:
    with reading(sandbox) as found:
        for name in ("nothing", "HEAD:README", "--all", ""):
            with pytest.raises(NoSuchRevision):
                Reading.tree(found, name or "-")
        assert found.versions.version(found.tree(), Model("none", ("nowhere/*",))) is None
        assert found.versions.version(found.tree(), Model("none")) is None


def test_a_submodule_is_no_file(sandbox: GitSandbox) -> None:
    before = index_tree(GitRepository.find(sandbox.folder)).files
    sandbox.git("update-index", "--add", "--cacheinfo", f"160000,{sandbox.head()},model/sub")
    assert index_tree(GitRepository.find(sandbox.folder)).files == before
    assert MODEL.holds("model/sub")
