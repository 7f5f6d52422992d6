"""What the docs say of commands, settings and errors is what the code has; links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize(
    "page", ["commands.md", "server-commands.md", "settings.md", "errors.md", "../git_lepton/entry/git-lepton.1"]
)
def test_generated_pages_are_up_to_date(page: str) -> None:
    code = f"import sys; sys.path.insert(0, 'docs'); import generate; sys.stdout.write(generate.PAGES[{page!r}]())"
    made = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert made == (ROOT / "docs" / page).read_text("utf-8"), "run: python docs/generate.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text("utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_files_that_the_page_of_the_architecture_names_are_there() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    section = page[page.index("## Where to look") : page.index("## Words")]
    named = [path for path in re.findall(r"`([\w/]+\.py)`", section) if "SUBJECT" not in path and "NAME" not in path]
    roots = [ROOT, ROOT / "git_lepton", ROOT / "server" / "lepton_server"]
    assert len(named) > 30
    assert [path for path in named if not any((root / path).is_file() for root in roots)] == []
