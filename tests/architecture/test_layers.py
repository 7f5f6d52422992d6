"""The floors of docs/architecture.md hold, and no module grows into a second promise."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = [ROOT / "git_lepton", ROOT / "server" / "lepton_server", ROOT / "hooks" / "lepton_hooks"]
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "misc"}
MODULES = sorted(path for package in PACKAGES for path in package.rglob("*.py"))


def test_imports_point_downward() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_module_states_its_promise() -> None:
    silent = [str(path.relative_to(ROOT)) for path in MODULES if not ast.get_docstring(ast.parse(path.read_text("utf-8")))]
    assert silent == []


def test_no_module_is_longer_than_300_lines() -> None:
    long = {str(path.relative_to(ROOT)): n for path in MODULES if (n := len(path.read_text("utf-8").splitlines())) > 300}
    assert long == {}


def test_no_module_is_a_drawer() -> None:
    assert [path for path in MODULES if path.stem in FORBIDDEN_NAMES or path.parent.name in FORBIDDEN_NAMES] == []


def test_only_settings_reads_the_environment() -> None:
    allowed = {
        "git_lepton/settings/values.py",
        "git_lepton/git/program.py",  # hands git's own variables on to git
        "git_lepton/entry/quickstart/sandbox.py",  # builds the environment of a world of its own
        "git_lepton/workflow/evaluation/opened_files/watch/sitecustomize.py",  # runs in the evaluation's Python
    }
    found = set()
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"} and isinstance(node.value, ast.Name):
                found.add(path.relative_to(ROOT).as_posix())
    assert {name for name in found if name.startswith("git_lepton/")} <= allowed
