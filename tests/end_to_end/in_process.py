"""`git lepton` in this process: it does what the program does, without the third of a second that loading takes each time."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from io import BytesIO, TextIOWrapper
from pathlib import Path

from git_lepton.entry import cli


def run_here(arguments: Sequence[str], folder: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[bytes]:
    """What the program would give that is started in this folder and this environment."""
    out, err = (TextIOWrapper(BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with chdir(folder), _environment(environment), redirect_stdout(out), redirect_stderr(err):
        code = cli.main([*arguments])
    said = [stream.buffer.getvalue() for stream in (out, err) if isinstance(stream.buffer, BytesIO)]
    return subprocess.CompletedProcess(["git", "lepton", *arguments], code, *said)


@contextmanager
def _environment(wanted: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    standard_in = sys.stdin
    try:
        os.environ.clear()
        os.environ.update(wanted)
        with open(os.devnull) as sys.stdin:  # noqa: PTH123
            yield
    finally:
        sys.stdin = standard_in
        os.environ.clear()
        os.environ.update(before)
