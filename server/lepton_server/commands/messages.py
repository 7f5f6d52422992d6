"""Messages of commands: sentences beside their output, on standard error; times."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable

from git_lepton.format.visible import visible


def say(sentence: str) -> None:
    print(f"lepton-server: {visible(sentence)}", file=sys.stderr)


def show(text: str) -> None:
    """Lines of a report on standard output, whose columns may be parted by tabs; names in it do nothing to a terminal."""
    lines = ("\t".join(map(visible, line.split("\t"))) for line in text.split("\n"))
    print("\n".join(lines), flush=True)


def say_all(sentences: Iterable[str]) -> None:
    for sentence in sentences:
        say(sentence)


def moment(milliseconds: int) -> str:
    """A time, for people."""
    return time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime(milliseconds / 1000))
