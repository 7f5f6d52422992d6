"""Patterns of paths."""

from __future__ import annotations

import pytest

from git_lepton.git.globs import matcher


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("*.bin", "a.bin", True),
        ("*.bin", "d/a.bin", False),
        ("**/*.bin", "a.bin", True),
        ("**/*.bin", "d/e/a.bin", True),
        ("models/**", "models/a/b", True),
        ("models/**", "model", False),
        ("models", "models/a/b", True),
        ("models/*", "models/a/b", True),
        ("m/**/x", "m/x", True),
        ("m/**/x", "m/a/b/x", True),
        ("m/**/x", "m/a/b/y", False),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("a[bc]", "ab", False),
        ("a[bc]", "a[bc]", True),
        ("*", "line\nbreak", True),
        ("**", "anything/at/all", True),
    ],
)
def test_what_a_pattern_names(pattern: str, path: str, expected: bool) -> None:
    assert matcher(pattern)(path) is expected


@pytest.mark.parametrize("pattern", ["**/" * 200 + "x", "*a" * 200 + "b", "*/" * 200 + "x"])
def test_no_pattern_takes_for_ever(pattern: str) -> None:
    assert not matcher(pattern)("a" * 2000 + "/" + "/".join("a" * 300) + "/m")
