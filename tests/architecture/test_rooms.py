"""Rooms import in one direction: no two of them, and no two files, need each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.architecture import rooms

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("package", ["lepton_server", "git_lepton", "git_lepton.workflow", "git_lepton.transfer"])
def test_no_circle_between_rooms(package: str) -> None:
    folder = ROOT / "server" if package.startswith("lepton_server") else ROOT
    assert rooms.house(folder, package).circles_of_rooms == 0


@pytest.mark.parametrize("package", ["lepton_server", "git_lepton"])
def test_no_circle_between_files(package: str) -> None:
    folder = ROOT / "server" if package.startswith("lepton_server") else ROOT
    assert rooms.house(folder, package).circles_of_files == 0


def test_a_circle_is_found() -> None:
    assert rooms.circles_of({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == [{"b", "c"}, {"a"}, {"d"}]
    assert rooms.circles_of({"a": set()}) == [{"a"}]
