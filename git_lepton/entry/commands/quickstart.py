"""`git lepton quickstart`: a real model through git add, commit, push and clone, on an embedded server, in half a minute."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from git_lepton.entry.arguments import parser


def main(arguments: Sequence[str]) -> int:
    """Tell the story; everything it made is gone afterwards, unless --keep."""
    options = parser("quickstart", "Show the whole story on this machine, in a folder of its own.")
    options.add_argument("--keep", action="store_true", help="keep server, repositories and files, and say where they are")
    return _run(keep=options.parse_args(arguments).keep)


def _run(*, keep: bool) -> int:
    from git_lepton.entry.quickstart.sandbox import Sandbox
    from git_lepton.entry.quickstart.story import play
    from git_lepton.entry.quickstart.telling import told

    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="git-lepton-quickstart-"))
    sandbox = Sandbox(folder)
    finished = False
    try:
        _say(f"starting a server in {folder}")
        sandbox.start()
        story = play(sandbox, _say)
        finished = True
        sys.stdout.write(told(story, sandbox, time.monotonic() - began, kept=keep))
    finally:
        if not (keep and finished):
            sandbox.stop()
            shutil.rmtree(folder, ignore_errors=True)
    return 0


def _say(text: str) -> None:
    sys.stdout.write(f"  {text}\n")
    sys.stdout.flush()
