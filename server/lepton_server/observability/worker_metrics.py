"""Metrics of all workers of a server together: counts in files of one folder, which any worker adds up when somebody scrapes.

To be called before `metrics` is imported, in the process whose children the workers are: Prometheus' library decides at its import.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


@contextmanager
def shared_counts(folder: Path) -> Iterator[None]:
    """Count in this folder, which is emptied first: counts begin anew with a server, as they do with a process."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.environ[_VARIABLE] = str(folder)
    try:
        yield
    finally:
        del os.environ[_VARIABLE]
        shutil.rmtree(folder, ignore_errors=True)


def shared_folder() -> Path | None:
    """Where the workers of this server count; None where this process is alone. What dead ones had under way is taken out."""
    if _VARIABLE not in os.environ:
        return None
    folder = Path(os.environ[_VARIABLE])
    for file in folder.glob("gauge_live*_*.db"):
        if not _is_alive(int(file.stem.rpartition("_")[2])):
            file.unlink(missing_ok=True)
    return folder


def _is_alive(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False
