from __future__ import annotations

from pathlib import Path

import pytest

from git_lepton.store import durable
from git_lepton.store.durable import make_folder, write_all, write_durably


def test_write_durably_replaces_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_durably(path, b"first, and longer")
    write_durably(path, b"second")
    assert path.read_bytes() == b"second"
    assert list(tmp_path.iterdir()) == [path]


def test_write_durably_leaves_the_old_file_when_it_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_durably(path, b"old")

    def fail(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(durable, "sync_data", fail)
    with pytest.raises(OSError, match="Input/output"):
        write_durably(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("bite", [1, 3, 7, 100])
def test_write_all_goes_on_after_a_short_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bite: int) -> None:
    path = tmp_path / "file"

    class Short:
        """An operating system that takes few bytes at a time."""

        def __init__(self) -> None:
            self.file = path.open("wb")

        def writev(self, descriptor: int, parts: list[memoryview]) -> int:
            return self.file.write(b"".join(parts)[:bite])

    system = Short()
    monkeypatch.setattr(durable, "os", system)
    write_all(0, b"head", b"", bytearray(b"payload"), memoryview(b"tail"))
    system.file.close()
    assert path.read_bytes() == b"headpayloadtail"


def test_make_folder_makes_those_above(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
