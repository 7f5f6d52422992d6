"""git lepton verify: the check before a merge, where git is hosted elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.git_sandbox import GitSandbox
from tests.workflow.evaluation.judged_repository import JudgedRepository, answering


def test_weights_are_stored_and_gates_pass(judged: JudgedRepository, tmp_path: Path) -> None:
    GitSandbox.create(tmp_path / "elsewhere", filter=None, track=None)
    judged.git("clone", "--quiet", "--bare", str(tmp_path / "elsewhere"), str(tmp_path / "bare.git"))
    judged.git("remote", "add", "origin", str(tmp_path / "bare.git"))
    judged.model(answering(300))
    judged.commit("first")
    told = judged.lepton("verify", "--remote", "origin")
    assert (told.code, "MISSING model/model.safetensors" in told.out) == (4, True)
    assert judged.lepton("push", "origin").code == 0
    told = judged.lepton("verify")
    assert (told.code, "MISSING classifier" in told.out) == (4, True)
    judged.lepton("gate", "HEAD")
    told = judged.lepton("verify")
    assert (told.code, "1 weight file of this range: all stored" in told.err) == (0, True)
    first = judged.git("rev-parse", "HEAD").strip()
    judged.model(answering(100))
    judged.commit("worse")
    judged.lepton("push", "origin")
    judged.lepton("gate", f"{first}..HEAD")
    assert judged.lepton("verify", f"{first}..HEAD").code == 1
    raw = judged.git("hash-object", "-w", "--no-filters", "model/model.safetensors").strip()
    judged.git("update-index", "--cacheinfo", f"100644,{raw},model/model.safetensors")
    judged.commit("raw")
    found = json.loads(judged.lepton("verify", "HEAD~1..HEAD", "--json").out)
    assert (found["weights"]["raw"], found["weights"]["sound"]) == (["model/model.safetensors"], False)
    assert judged.lepton("verify", "HEAD~1..HEAD").code == 1
