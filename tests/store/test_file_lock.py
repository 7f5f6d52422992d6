from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from git_lepton.store.file_lock import is_locked, lock, try_lock, unlock
from tests.store.making import run_python


@pytest.fixture
def two(tmp_path: Path) -> tuple[int, int]:
    """Two openings of one file."""
    return os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT), os.open(tmp_path / "file", os.O_RDWR)


def test_one_excludes_all_many_share(two: tuple[int, int]) -> None:
    first, second = two
    assert try_lock(first) and not try_lock(second) and not try_lock(second, shared=True) and is_locked(second)
    unlock(first)
    assert try_lock(first, shared=True) and try_lock(second, shared=True) and not is_locked(second)
    unlock(second)
    assert not try_lock(second)
    unlock(first)
    assert try_lock(second)


def test_lock_waits(two: tuple[int, int]) -> None:
    first, second = two
    assert lock(first)
    assert not lock(second, patience_s=0.02)
    releasing = threading.Timer(0.05, unlock, [first])
    releasing.start()
    assert lock(second, patience_s=10)
    releasing.join()


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "file"
    run_python(f"""
        import os, signal
        from git_lepton.store.file_lock import try_lock
        assert try_lock(os.open({str(path)!r}, os.O_RDWR | os.O_CREAT))
    """)
    assert lock(os.open(path, os.O_RDWR), patience_s=60)
