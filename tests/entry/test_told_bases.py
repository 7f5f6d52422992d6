"""What a push says of other repositories' weights: short, however many a lepton.toml names."""

from __future__ import annotations

import pytest

from git_lepton.entry.told_bases import tell_bases
from git_lepton.settings.location import StoreLocation
from git_lepton.transfer.upload import Uploaded

TARGET = StoreLocation("https://store.example", "me/mine", "config")


def told(withheld: tuple[str, ...], capsys: pytest.CaptureFixture[str], *, quiet: bool = False) -> str:
    tell_bases(Uploaded(1, 1, 0, withheld=withheld), TARGET, quiet=quiet)
    return capsys.readouterr().err


def test_one_base_that_may_not_be_one_is_named_with_the_way_to_allow_it(capsys: pytest.CaptureFixture[str]) -> None:
    line = told(("a/b",), capsys)
    assert "may read a/b: what was made from it is pushed whole" in line
    assert line.endswith("git lepton trust --base a/b\n")


def test_of_many_bases_five_are_named_and_the_others_counted(capsys: pytest.CaptureFixture[str]) -> None:
    line = told(tuple(f"a/r{number}" for number in range(5)), capsys)
    assert line.count("\n") == 1
    assert "a/r0, a/r1, a/r2, a/r3, a/r4: what was made from them" in line
    line = told(tuple(f"a/r{number}" for number in range(40)), capsys)
    assert line.count("\n") == 1
    assert "a/r4 and 35 more: what was made from them" in line
    assert "a/r5" not in line


def test_quiet_pushes_say_nothing_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(("a/b",), capsys, quiet=True) == ""
