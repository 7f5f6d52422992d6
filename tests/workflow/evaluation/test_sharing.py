"""Evidence travels by a real server: who evaluates sends it, who verifies brings it, and the server's word on trust counts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.git_sandbox import GitSandbox
from tests.support.running_server import RunningServer
from tests.workflow.evaluation.judged_repository import TOML, JudgedRepository, answering


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("server")) as running:
        yield running


def test_who_verifies_needs_no_evaluation(
    judged: JudgedRepository, server: RunningServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_LEPTON_TOKEN", server.admin_token)
    judged.git("remote", "add", "origin", f"lepton::{server.url}/admin/models")
    judged.model(answering(300))
    judged.lepton("gate")
    judged.commit("first")
    judged.git("push", "--quiet", "origin", "main")
    assert "1 record of evidence sent, 1 in all" in judged.lepton("evidence", "push").err
    judged.git("switch", "--quiet", "--create", "tune")
    judged.model(answering(380))
    judged.commit("second")
    judged.lepton("gate", "main..HEAD")
    judged.git("push", "--quiet", "origin", "tune")
    assert "1 record of evidence sent, 2 in all" in judged.lepton("evidence", "push", "main..tune").err
    assert "0 records of evidence sent, 2 in all" in judged.lepton("evidence", "push", "main..tune").err

    clone = GitSandbox(tmp_path / "clone")
    judged.git("clone", "--quiet", "--branch", "tune", f"lepton::{server.url}/admin/models", str(clone.folder))
    other = JudgedRepository.at(judged, clone)
    assert other.lepton("gate", "--no-run", "origin/main..HEAD").code == 4
    told = other.lepton("verify", "origin/main..HEAD")
    assert (told.code, "accuracy rose from 0.75 to 0.95" in told.out) == (0, True)
    assert "2 in all" in other.lepton("evidence", "fetch", "origin/main..HEAD").err
    assert other.lepton("gate", "--no-run", "origin/main..HEAD").code == 0
    assert other.runs == 0

    robot = server.run("token", "create", "admin", "--scopes", "evidence,read").strip().splitlines()[-1]
    other.write("lepton.toml", TOML + 'trust = "ci"\n')
    other.git("commit", "--quiet", "--all", "--message", "evidence of a robot only")
    told = other.lepton("verify", "origin/main..HEAD")
    assert (told.code, "is trusted enough: the gate wants ci" in told.out) == (4, True)
    monkeypatch.setenv("GIT_LEPTON_TOKEN", robot)
    assert other.lepton("evidence", "push", "origin/main..HEAD").code == 0
