"""Everything that fuzzing found worth keeping keeps being survived."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"


@pytest.mark.parametrize("name", sorted(TARGETS.keys() - {"store"}))
def test_every_target_survives_its_corpus(name: str) -> None:
    found = sorted((CORPUS / name).iterdir())
    assert found
    for path in found:
        TARGETS[name](path.read_bytes())


def test_a_store_survives_the_files() -> None:
    for path in sorted((CORPUS / "file").iterdir())[::8]:
        TARGETS["store"](path.read_bytes())


def test_the_corpus_stays_small() -> None:
    assert sum(path.stat().st_size for path in CORPUS.rglob("*") if path.is_file()) < 1_000_000
