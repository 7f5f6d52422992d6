from __future__ import annotations

import os
from pathlib import Path

import pytest

from git_lepton.errors import WrongUse
from git_lepton.evidence.models import Model
from git_lepton.format.lepton_toml import BadLeptonToml
from git_lepton.format.pointer import claims_to_be_pointer
from git_lepton.git.repository import GitRepository
from git_lepton.settings.models import read_models
from git_lepton.workflow.download.import_model import NameTaken, NoModelThere, WouldOverwrite, import_model
from tests.support.git_sandbox import GitSandbox
from tests.workflow.versions import bf16, model

WEIGHTS = bf16(model())
REVISION = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def sandbox(tmp_path: Path) -> GitSandbox:
    return GitSandbox.create(tmp_path / "repository", track=None)


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A snapshot of a Hugging Face cache: files are links into `blobs`."""
    cache = tmp_path / "hub" / "models--acme--Tiny-Model"
    snapshot = cache / "snapshots" / REVISION
    (snapshot / "onnx").mkdir(parents=True)
    (cache / "blobs").mkdir()
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text(REVISION)
    files = {
        "model.safetensors": WEIGHTS,
        "config.json": b"{}",
        "onnx/model.onnx": b"onnx" * 500,
        ".gitattributes": b"* filter=lfs",
    }
    for number, (name, data) in enumerate(files.items()):
        (cache / "blobs" / f"blob{number}").write_bytes(data)
        (snapshot / name).symlink_to(os.path.relpath(cache / "blobs" / f"blob{number}", (snapshot / name).parent))
    return snapshot


def git(sandbox: GitSandbox) -> GitRepository:
    return GitRepository(sandbox.folder)


def test_a_snapshot_of_a_cache_becomes_files_weights_and_a_model(sandbox: GitSandbox, published: Path) -> None:
    done = import_model(git(sandbox), published)
    assert (done.name, done.origin, done.folder) == ("tiny-model", f"acme/Tiny-Model@{REVISION}", "models/tiny-model")
    place = sandbox.path("models/tiny-model")
    assert sorted(path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()) == [
        *("config.json", "model.safetensors", "onnx/model.onnx")
    ]
    assert not any(path.is_symlink() for path in place.rglob("*"))
    assert (place / "model.safetensors").read_bytes() == WEIGHTS
    assert read_models(git(sandbox)) == [Model("tiny-model", ("models/tiny-model/**",), "", done.origin)]
    assert done.tracked == ["*.onnx", "*.safetensors"]
    sandbox.git("commit", "-qm", "import")
    assert claims_to_be_pointer(sandbox.blob("models/tiny-model/model.safetensors"))
    assert sandbox.blob("models/tiny-model/config.json") == b"{}"
    assert sandbox.status() == ""


def test_a_clone_whose_weights_were_not_brought_is_no_model(sandbox: GitSandbox, tmp_path: Path) -> None:
    source = tmp_path / "cloned"
    source.mkdir()
    (source / "config.json").write_text("{}")
    (source / "model.safetensors").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n")
    with pytest.raises(NoModelThere, match=r"model\.safetensors is git-lfs's pointer") as raised:
        import_model(git(sandbox), source)
    assert f"git lfs pull` in {source}" in raised.value.hint
    assert not sandbox.path("models").exists()
    assert not sandbox.path("lepton.toml").exists()


def test_the_cache_itself_names_its_main_snapshot(sandbox: GitSandbox, published: Path) -> None:
    (published.parent / "other").mkdir()
    assert import_model(git(sandbox), published.parents[1]).origin == f"acme/Tiny-Model@{REVISION}"


def test_a_cache_of_several_models_is_refused_and_they_are_named(sandbox: GitSandbox, published: Path) -> None:
    hub = next(folder for folder in published.parents if folder.name == "hub")
    with pytest.raises(NoModelThere, match="models--acme--Tiny-Model") as raised:
        import_model(GitRepository(sandbox.folder), hub)
    assert str(hub / "models--acme--Tiny-Model") in raised.value.hint


def test_a_folder_goes_where_it_is_wanted(sandbox: GitSandbox, tmp_path: Path) -> None:
    source = tmp_path / "My Base!"
    source.mkdir()
    (source / "a.pt").write_bytes(b"weights" * 100)
    done = import_model(git(sandbox), source, sandbox.path("deep/er"), "base")
    assert (done.name, done.origin, done.folder) == ("base", "My Base!", "deep/er")
    assert read_models(git(sandbox))[0].holds("deep/er/a.pt")


def test_again_changes_nothing(sandbox: GitSandbox, published: Path) -> None:
    import_model(git(sandbox), published)
    sandbox.git("commit", "-qm", "import")
    again = import_model(git(sandbox), published)
    assert (again.written, again.tracked, len(again.kept)) == ([], [], 3)
    assert sandbox.status() == ""


def test_what_the_user_wrote_stays(sandbox: GitSandbox, published: Path) -> None:
    text = '# mine\r\n[store]\r\nurl = "https://h/a/b"  # here'
    sandbox.write("lepton.toml", text)
    import_model(git(sandbox), published)
    after = sandbox.read("lepton.toml").decode()
    assert after.startswith(text + "\r\n\r\n[model.tiny-model]\r\n")
    assert "\n" not in after.replace("\r\n", "")


def test_other_content_is_not_overwritten_unasked(sandbox: GitSandbox, published: Path) -> None:
    sandbox.write("models/tiny-model/config.json", "mine")
    with pytest.raises(WouldOverwrite, match=r"config\.json"):
        import_model(git(sandbox), published)
    assert sandbox.read("models/tiny-model/config.json") == b"mine"
    assert not sandbox.path("models/tiny-model/model.safetensors").exists()
    assert not sandbox.path("lepton.toml").exists()
    import_model(git(sandbox), published, force=True)
    assert sandbox.read("models/tiny-model/config.json") == b"{}"


def test_a_name_that_is_taken_is_refused_before_anything_is_written(sandbox: GitSandbox, published: Path) -> None:
    sandbox.write("lepton.toml", '[model.tiny-model]\nfiles = ["x"]\n')
    with pytest.raises(NameTaken):
        import_model(git(sandbox), published)
    assert not sandbox.path("models").exists()
    assert import_model(git(sandbox), published, name="odd name").name == "odd name"
    assert [one.name for one in read_models(git(sandbox))] == ["tiny-model", "odd name"]


def test_a_broken_lepton_toml_is_said_before_anything_is_written(sandbox: GitSandbox, published: Path) -> None:
    sandbox.write("lepton.toml", "[model")
    with pytest.raises(BadLeptonToml):
        import_model(git(sandbox), published)
    assert not sandbox.path("models").exists()


def test_links_out_of_the_source_are_left_out(sandbox: GitSandbox, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (tmp_path / "secret").write_text("secret")
    (source / "a.json").write_text("{}")
    (source / "b.json").symlink_to(tmp_path / "secret")
    (source / "c.json").symlink_to("nowhere")
    (source / "d.json").symlink_to("a.json")
    done = import_model(git(sandbox), source)
    assert set(done.left_out) == {"b.json", "c.json"}
    assert sorted(done.written) == ["models/source/a.json", "models/source/d.json"]


@pytest.mark.parametrize("source", ["nowhere", "empty", "file", "models--a--b"])
def test_what_is_no_model_is_refused(sandbox: GitSandbox, tmp_path: Path, source: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "models--a--b").mkdir()
    (tmp_path / "file").write_text("x")
    with pytest.raises(NoModelThere):
        import_model(git(sandbox), tmp_path / source)


@pytest.mark.parametrize("to", [".", "..", "../elsewhere"])
def test_the_folder_lies_inside_the_work_tree(sandbox: GitSandbox, published: Path, to: str) -> None:
    with pytest.raises(WrongUse):
        import_model(git(sandbox), published, sandbox.path(to))
