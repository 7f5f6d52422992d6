"""Patterns of paths."""

from __future__ import annotations

import pytest

from git_lepton.format.globs import matcher, named_by


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("*.bin", "a.bin", True),
        ("*.bin", "d/a.bin", False),
        ("**/*.bin", "a.bin", True),
        ("**/*.bin", "d/e/a.bin", True),
        ("models/**", "models/a/b", True),
        ("models/**", "model", False),
        ("models/**", "models", True),
        ("models/a*", "models/b", False),
        ("models/?", "model", False),
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


PATHS = ["top.bin", "model[v2].bin", "a*.bin", "ab.bin", "sub/top.bin", "sub/deep/x.bin", "sub/notes.txt", "back\\slash.bin"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("top.bin", ["top.bin"]),  # a path that is there means itself
        ("./top.bin", ["top.bin"]),
        ("model[v2].bin", ["model[v2].bin"]),
        ("a*.bin", ["a*.bin"]),
        ("a?.bin", ["a*.bin", "ab.bin"]),
        ("back\\slash.bin", ["back\\slash.bin"]),
        ("sub", ["sub/top.bin", "sub/deep/x.bin", "sub/notes.txt"]),
        ("sub/", ["sub/top.bin", "sub/deep/x.bin", "sub/notes.txt"]),
        ("deep", ["sub/deep/x.bin"]),  # without a slash: at any depth
        ("x.bin", ["sub/deep/x.bin"]),
        ("sub/*.bin", ["sub/top.bin"]),  # with one: from the top
        ("/top.bin", ["top.bin"]),
        ("sub/**/*.bin", ["sub/top.bin", "sub/deep/x.bin"]),
        ("*.txt", ["sub/notes.txt"]),
        ("model[vw]2.bin", []),
        ("sub//deep/./x.bin", ["sub/deep/x.bin"]),
        (".", PATHS),
        ("/", PATHS),
        ("./", PATHS),
        ("", []),
    ],
)
def test_what_somebody_means_by_what_they_type(typed: str, meant: list[str]) -> None:
    assert named_by(typed, PATHS) == meant
