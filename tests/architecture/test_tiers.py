"""The two tiers of tests are together all of them, each test is in one, and the pages name the commands that run them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
_OF_BOTH = "tests/format/test_globs.py"
"""A module with tests of both tiers that start nothing."""


def _chosen(*arguments: str) -> set[str]:
    """The tests that pytest runs where `testpaths` is that module."""
    command = [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", "-o", f"testpaths={_OF_BOTH}"]
    done = subprocess.run([*command, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return set(re.findall(r"^PASSED (.*)", done.stdout, re.MULTILINE))


def test_pytest_alone_and_the_second_command_are_all_tests() -> None:
    first, second, everything = _chosen("-n", "1"), _chosen("-m", "thorough", "-n", "1"), _chosen(_OF_BOTH)
    assert first and second
    assert not first & second
    assert first | second == everything


def _command(page: str, name: str) -> str:
    found = re.search(f"<!-- {name} -->\\s+(.*?)\\s+<!-- /{name} -->", (ROOT / page).read_text("utf-8"), re.DOTALL)
    assert found, (page, name)
    return found[1]


def test_continuous_integration_runs_what_the_pages_say() -> None:
    assert _command("README.md", "tests") == "pip install -e '.[dev]' && pytest"
    assert _command("CONTRIBUTING.md", "thorough") == "pytest -m thorough"
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    for page, name in (("README.md", "tests"), ("CONTRIBUTING.md", "thorough")):
        assert f"{name}=$(command_of {page} {name})" in script
        assert f'bash -euc "${name}"' in script
