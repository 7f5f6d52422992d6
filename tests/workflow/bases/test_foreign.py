"""Bases in other repositories of the same server: brought once, then used offline, and spared for as long as they are named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from git_lepton.errors import WeightsMissing
from git_lepton.evidence.models import foreign_path
from git_lepton.format.pointer import Pointer, parse_pointer
from git_lepton.store.folder_remote import NotAServer
from git_lepton.transfer.git_snapshot import UnknownVersion
from git_lepton.workflow.bases.foreign import FetchedBases, NoSuchBase, fetch_bases
from git_lepton.workflow.sync.fetch import lacking
from git_lepton.workflow.sync.known_bases import known_bases
from git_lepton.workflow.upkeep.prune import needed_objects, prune
from git_lepton.workspace import Workspace, open_workspace
from tests.support.git_http_server import GitHttpServer
from tests.support.git_sandbox import GitSandbox
from tests.transfer.double_server import Double
from tests.workflow.download.test_repository import Hosted
from tests.workflow.versions import all_tuned, bf16, model

OLD = model(layers=2)


@pytest.fixture
def hosted(tmp_path: Path) -> Iterator[Hosted]:
    root = tmp_path / "served"
    root.mkdir()
    with Double() as double, GitHttpServer(root) as git:
        hosted = Hosted(tmp_path, double, git)
        hosted.publish(
            {"models/base.bin": bf16(OLD), "models/more/other.bin": b"other" * 500, "models/notes.txt": "x", "c.bin": b"c"}
        )
        yield hosted


@pytest.fixture
def mine(hosted: Hosted, tmp_path: Path) -> GitSandbox:
    sandbox = GitSandbox.create(tmp_path / "mine")
    sandbox.git("config", "lepton.url", f"{hosted.double.url}/ada/mine")
    name_base(sandbox, "ada/m@main:models")
    return sandbox


def name_base(sandbox: GitSandbox, base: str) -> None:
    sandbox.commit("models", {"lepton.toml": f'[model.mine]\nfiles = ["mine/*"]\nbase = "{base}"\n'})


@pytest.fixture
def workspace(mine: GitSandbox) -> Iterator[Workspace]:
    with open_workspace(mine.folder) as workspace:
        yield workspace


def pointer_of(sandbox: GitSandbox, path: str) -> Pointer:
    return parse_pointer(sandbox.blob(path))


def test_the_objects_of_a_base_are_brought_and_remembered(hosted: Hosted, workspace: Workspace) -> None:
    got = fetch_bases(workspace)
    assert (got.bases, got.objects) == (1, 2)
    wanted = [pointer_of(hosted.sandbox, path) for path in ("models/base.bin", "models/more/other.bin")]
    assert lacking(workspace.store, wanted) == []
    base = foreign_path("ada/m@main:models")
    assert base is not None
    assert known_bases(workspace.store.root) == {base: [pointer.oid for pointer in wanted]}


def test_again_nothing_travels(hosted: Hosted, workspace: Workspace) -> None:
    fetch_bases(workspace)
    hosted.bytes_asked()
    assert fetch_bases(workspace) == FetchedBases(1, 0, 0)
    assert hosted.bytes_asked() == 0


def test_a_new_version_is_coded_against_it(hosted: Hosted, mine: GitSandbox, workspace: Workspace) -> None:
    fetch_bases(workspace)
    hosted.double.server.requests.clear()
    mine.commit("tuned", {"mine/model.bin": bf16(all_tuned(OLD))})
    workspace.store.refresh()
    manifest = workspace.store.manifest(pointer_of(mine, "mine/model.bin").oid)
    assert manifest is not None
    depths = [workspace.store.depth(entry.chunk) for entry in manifest.entries if entry.length > 10_000]
    assert depths == [1, 1]
    assert hosted.double.server.requests == []  # offline


def test_without_it_the_filter_says_once_how_to_get_it(mine: GitSandbox) -> None:
    mine.write("mine/a.bin", bf16(OLD))
    mine.write("mine/b.bin", bf16(all_tuned(OLD)))
    said = mine.stderr("add", ".")
    assert said.count("ada/m@main:models") == 1
    assert "git lepton fetch" in said


def test_prune_spares_it_while_it_is_named(hosted: Hosted, mine: GitSandbox, workspace: Workspace) -> None:
    fetch_bases(workspace)
    oid = pointer_of(hosted.sandbox, "models/base.bin").oid
    workspace.store.close()
    prune(workspace, spared_s=-1)
    assert oid in needed_objects(workspace)
    assert lacking(workspace.store, [pointer_of(hosted.sandbox, "models/base.bin")]) == []
    name_base(mine, "HEAD:elsewhere")
    prune(workspace, spared_s=-1)
    assert oid not in needed_objects(workspace)
    assert lacking(workspace.store, [pointer_of(hosted.sandbox, "models/base.bin")])


def test_a_model_without_such_a_base_asks_nobody(hosted: Hosted, mine: GitSandbox, workspace: Workspace) -> None:
    name_base(mine, "HEAD:models")
    hosted.double.server.requests.clear()
    assert fetch_bases(workspace) == FetchedBases()
    assert hosted.double.server.requests == []
    assert not workspace.store.root.exists()


@pytest.mark.parametrize(
    ("base", "error"),
    [
        ("ada/m@nowhere:models", UnknownVersion),
        ("ada/m@main:nowhere", NoSuchBase),
        ("ada/m@main:models/notes.txt", NoSuchBase),
        ("ada/m@main:model", NoSuchBase),
    ],
)
def test_a_base_that_is_not_there_is_said(mine: GitSandbox, workspace: Workspace, base: str, error: type[Exception]) -> None:
    name_base(mine, base)
    with pytest.raises(error):
        fetch_bases(workspace)


def test_weights_that_the_server_lacks_are_4(hosted: Hosted, workspace: Workspace) -> None:
    hosted.double.objects.clear()
    with pytest.raises(WeightsMissing):
        fetch_bases(workspace)


def test_a_folder_as_store_has_no_other_repositories(mine: GitSandbox, tmp_path: Path) -> None:
    mine.git("init", "-q", "--bare", str(tmp_path / "folder.git"))
    mine.git("config", "--unset", "lepton.url")
    mine.git("remote", "add", "origin", str(tmp_path / "folder.git"))
    with open_workspace(mine.folder) as workspace, pytest.raises(NotAServer):
        fetch_bases(workspace)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1}', '{"a/b@c:d": ["x"]}', '{"not one": []}'])
def test_notes_that_cannot_be_read_are_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "bases.json").write_text(text)
    assert known_bases(tmp_path) == {}


def test_notes_are_plain(workspace: Workspace) -> None:
    fetch_bases(workspace)
    rows = json.loads((workspace.store.root / "bases.json").read_text())
    assert list(rows) == ["ada/m@main:models"]
