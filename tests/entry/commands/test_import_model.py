from __future__ import annotations

from pathlib import Path

import pytest

from tests.entry.commands.conftest import Lepton
from tests.support.git_sandbox import GitSandbox


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "Base-Model"
    folder.mkdir()
    (folder / "weights.bin").write_bytes(b"weights" * 500)
    (folder / "link.txt").symlink_to("/nowhere")
    return folder


def test_it_says_what_it_did_and_what_is_next(sandbox: GitSandbox, lepton: Lepton, source: Path) -> None:
    done = lepton("import", str(source), at=sandbox)
    assert done.code == 0
    assert "Base-Model is in models/base-model: 1 file copied, 0 there already" in done.err
    assert "left out link.txt" in done.err
    assert "git commit -m 'Import Base-Model'" in done.err
    assert done.out == ""


def test_json(sandbox: GitSandbox, lepton: Lepton, source: Path) -> None:
    report = lepton("import", str(source), "--to", "deep/place", "--name", "mine", "--json", at=sandbox).json
    assert (report["name"], report["origin"], report["folder"]) == ("mine", "Base-Model", "deep/place")
    assert report["written"] == ["deep/place/weights.bin"]


def test_the_folder_is_meant_from_where_one_stands(sandbox: GitSandbox, lepton: Lepton, source: Path) -> None:
    report = lepton("import", str(source), "--to", "here", "--json", at=sandbox.folder / "models").json
    assert report["folder"] == "models/here"


def test_what_is_no_model_is_wrong_use(sandbox: GitSandbox, lepton: Lepton) -> None:
    done = lepton("import", "nowhere", at=sandbox)
    assert (done.code, "is not a folder" in done.err) == (2, True)
