"""A tree comes from others: no path of it leaves the folder, on any system."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from git_lepton.workflow.download.safe_paths import PARTIAL, UnsafePath, place_of

ROOT = Path("/nowhere/at/all")


@given(st.text(max_size=40))
def test_every_path_stays_inside_or_is_refused(path: str) -> None:
    try:
        place = place_of(ROOT, path, windows=True)
    except UnsafePath:
        return
    assert place.is_relative_to(ROOT)
    assert ".." not in place.parts
    assert place != ROOT


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/etc/passwd",
        "../x",
        "a/../x",
        "a//b",
        "./a",
        ".git/config",
        "a/.GIT/hooks/x",
        ".git ./x",
        "GIT~1/x",
        f"{PARTIAL}/x",
    ],
)
def test_refused_everywhere(path: str) -> None:
    with pytest.raises(UnsafePath) as caught:
        place_of(ROOT, path, windows=False)
    assert caught.value.exit_code == 6


@pytest.mark.parametrize("path", ["a:b", "aux", "CON.txt", "com1", "a.", "a ", "a?b", "x/nul.bin", "a\\b"])
def test_refused_on_windows_only(path: str) -> None:
    assert place_of(ROOT, path, windows=False) == ROOT / path
    with pytest.raises(UnsafePath):
        place_of(ROOT, path, windows=True)


@pytest.mark.parametrize("path", ["a", ".gitattributes", "a/.gitignore", "models/a b.bin", "git/x", "console", "ü"])
def test_ordinary_names_are_fine(path: str) -> None:
    assert place_of(ROOT, path, windows=True) == ROOT / path


def test_what_is_there_may_be_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    for path in ("file/x", "folder", "link", "link/x"):
        with pytest.raises(UnsafePath):
            place_of(tmp_path, path)
    assert place_of(tmp_path, "file") == tmp_path / "file"
