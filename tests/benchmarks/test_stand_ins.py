"""The stand-in for BitX gives back what it coded; entropies of known differences are known; documents keep what people wrote."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import entropy, float_planes
from benchmarks.document import fill


@pytest.mark.parametrize("dtype", ["<u2", "<u4"])
def test_planes_come_back(dtype: str) -> None:
    values = np.random.default_rng(0).integers(0, 1 << 16, 10_000).astype(dtype)
    assert np.array_equal(float_planes.restored(float_planes.coded(values, 1), values.dtype), values)


def test_unchanged_tensors_cost_next_to_nothing() -> None:
    base = {"a": np.random.default_rng(0).standard_normal((300, 400), dtype=np.float32)}
    assert float_planes.stored_bytes(base, base, 1) < 200
    assert float_planes.stored_bytes(base, {}, 1) > 350_000


def test_entropy_of_a_coin_that_the_exponent_tells() -> None:
    """Half of the weights move by one, and it is those of one exponent: a bit each without it, nothing with it."""
    base = np.array([0x3F80, 0x4080] * 4096, "<u2")
    second = base + (base == 0x4080).astype("<u2")
    found = entropy.of_difference({"a": second}, {"a": base})
    assert found.plain == pytest.approx(8192 / 8)
    assert found.given_exponent == pytest.approx(0)


def test_a_document_keeps_all_but_what_lies_between_the_marks(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text("before\n<!-- sizes -->\nold\n<!-- end of sizes -->\nafter\n")
    fill(path, "sizes", "new")
    fill(path, "sizes", "newer")
    assert path.read_text() == "before\n<!-- sizes -->\nnewer\n<!-- end of sizes -->\nafter\n"
