from __future__ import annotations

from typing import Any

import pytest

from git_lepton.evidence.models import ForeignPath, Model, foreign_path, models_in
from git_lepton.format.lepton_toml import BadLeptonToml


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("team/pretrained@v1.2:models/base", ForeignPath("team/pretrained", "v1.2", "models/base")),
        ("a/b@feature/x:m.bin", ForeignPath("a/b", "feature/x", "m.bin")),
        ("a/b@HEAD:models/", ForeignPath("a/b", "HEAD", "models")),
        ("a/b@HEAD:", ForeignPath("a/b", "HEAD", "")),
        ("v1:models/base", None),
        ("HEAD:odd@name/with:colon", None),
        ("feature/x@{1}:m.bin", None),
        ("a/b/c@x:m", None),
        ("a/b:m", None),
        ("", None),
    ],
)
def test_which_bases_are_foreign(text: str, expected: ForeignPath | None) -> None:
    assert foreign_path(text) == expected
    if expected and not text.endswith("/"):
        assert str(expected) == text


@pytest.mark.parametrize(
    ("pattern", "held", "not_held"),
    [
        ("models/a/*", ["models/a/x", "models/a/deep/x"], ["models/ab/x", "models/a", "x/models/a/y"]),
        ("models/a", ["models/a", "models/a/x"], ["models/ab"]),
        ("models/*.bin", ["models/x.bin"], ["models/deep/x.bin", "models/xbin"]),
        ("models/**/w.bin", ["models/w.bin", "models/a/b/w.bin"], ["models/aw.bin"]),
        ("./a?.bin", ["ab.bin"], ["a.bin", "a/.bin"]),
        ("a+(b)[c].bin", ["a+(b)[c].bin"], ["aab.bin"]),
    ],
)
def test_which_files_a_model_holds(pattern: str, held: list[str], not_held: list[str]) -> None:
    model = Model("m", (pattern,))
    assert [path for path in [*held, *not_held] if model.holds(path)] == held


def test_models_come_in_the_order_of_the_file() -> None:
    tables = {"model": {"b": {"files": ["x"], "base": "v1:x", "exports": ["y"]}, "a": {}}, "store": {}}
    assert models_in(tables) == [Model("b", ("x",), "v1:x", ""), Model("a")]
    assert models_in({}) == []


@pytest.mark.parametrize(
    "tables", [{"model": 3}, {"model": {"a": []}}, {"model": {"a": {"files": "x"}}}, {"model": {"a": {"base": 1}}}]
)
def test_what_is_no_table_of_models_is_refused(tables: dict[str, Any]) -> None:
    with pytest.raises(BadLeptonToml):
        models_in(tables)
