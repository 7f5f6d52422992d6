"""A repository with a model and a gate."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.workflow.evaluation.judged_repository import JudgedRepository


@pytest.fixture
def judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> JudgedRepository:
    return JudgedRepository(tmp_path / "repository", monkeypatch, capsys)
