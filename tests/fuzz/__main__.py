"""Runs one target under atheris, which learns what bytes lead somewhere new: python -m tests.fuzz TARGET [libFuzzer's options].

    python -m tests.fuzz file /tmp/new tests/fuzz/corpus/file -max_total_time=600

What it finds goes into the first folder; minimise it (`-merge=1`) before it is added to the corpus.
"""

from __future__ import annotations

import sys

import atheris  # type: ignore[import-untyped,import-not-found,unused-ignore]

with atheris.instrument_imports(include=["git_lepton"]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    name = sys.argv.pop(1)
    atheris.Setup(sys.argv, TARGETS[name])
    atheris.Fuzz()


main()
