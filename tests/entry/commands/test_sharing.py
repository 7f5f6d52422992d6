"""What `git lepton share` says of the files beside the weights, which a link gives nobody."""

from __future__ import annotations

import pytest

from git_lepton.entry.commands import share as subject
from git_lepton.wire.collaboration import NewLink
from git_lepton.workflow.collaboration.shares import Shared, files_of
from git_lepton.workspace import Workspace
from tests.entry.commands.conftest import Lepton
from tests.support.git_sandbox import GitSandbox

LINK = NewLink(1, "https://lepton.example.org/s/abc", 0)


@pytest.fixture
def gone(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the server has taken away; it gives links to all else."""
    gone: dict[str, str] = {}

    def share(workspace: Workspace, version: str, *_: object) -> Shared:
        return Shared(LINK, [file for file in files_of(workspace, version) if file.path not in gone], gone)

    monkeypatch.setattr(subject, "share", share)
    return gone


@pytest.mark.usefixtures("gone")
def test_ordinary_files_are_named_since_a_link_gives_weights_alone(sandbox: GitSandbox, lepton: Lepton) -> None:
    sandbox.commit("beside", {f"models/{name}": "text" for name in ("a.json", "b.json", "c.json", "d.json", ".gitignore")})
    said = lepton("share", "main:models", at=sandbox)
    assert (said.code, said.out) == (0, f"{LINK.url}\n")
    assert (
        "not in it: 4 ordinary files (models/a.json, models/b.json, models/c.json, ...); a link gives weights alone" in said.err
    )
    beside = [f"models/{name}" for name in ("a.json", "b.json", "c.json", "d.json")]
    assert lepton("share", "main:models", "--json", at=sandbox).json["ordinary"] == beside
    assert lepton("share", "main:", "--json", at=sandbox).json["ordinary"] == [*beside, "notes.txt"]


@pytest.mark.usefixtures("gone")
def test_beside_one_file_nothing_is_named(sandbox: GitSandbox, lepton: Lepton) -> None:
    said = lepton("share", "main:models/two.bin", at=sandbox)
    assert (said.code, "not in it" in said.err) == (0, False)
    assert lepton("share", "main:one.bin", "--json", at=sandbox).json["ordinary"] == []


def test_weights_that_were_taken_away_are_no_ordinary_files(sandbox: GitSandbox, lepton: Lepton, gone: dict[str, str]) -> None:
    gone["models/two.bin"] = "was purged"
    said = lepton("share", "main:", "--json", at=sandbox).json
    assert (said["left_out"], said["ordinary"]) == ({"models/two.bin": "was purged"}, ["notes.txt"])
