"""Every line of the threat model names the tests that hold it, and these tests are there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROMISES, _, _ = (ROOT / "docs" / "security.md").read_text("utf-8").partition("## What it does not protect")
LINES = [line.strip() for line in re.split(r"^- ", PROMISES, flags=re.MULTILINE)[1:]]


@cache
def functions_in(file: str) -> frozenset[str]:
    path = ROOT / file
    if not path.is_file():
        return frozenset()
    found = ast.walk(ast.parse(path.read_text("utf-8")))
    return frozenset(node.name for node in found if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_every_line_has_a_test() -> None:
    assert [line for line in LINES if not re.search(r"<sub>tests/\S+::test_\w+.*</sub>", line)] == []
    assert len(LINES) > 40


def test_the_tests_are_there() -> None:
    named = [name for line in LINES for name in re.findall(r"tests/\S+?::test_\w+", line)]
    assert [name for name in named if name.split("::")[1] not in functions_in(name.split("::")[0])] == []
