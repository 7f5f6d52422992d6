"""The program `lepton-server`: serves a data folder, and changes accounts, tokens, rights and repositories in it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from git_lepton import __version__
from lepton_server.commands import (
    accounts,
    audit,
    backups,
    grants,
    maintenance,
    organisations,
    repositories,
    rules,
    serve,
    tokens,
    usage,
)
from lepton_server.commands.data_options import place_options
from lepton_server.process.failures import say_failure

_SUBJECTS = (serve, accounts, organisations, tokens, grants, repositories, rules, audit, maintenance, backups, usage)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    options = parser().parse_args(arguments)
    try:
        run: Callable[[argparse.Namespace], None] = options.run
        run(options)
    except (Exception, KeyboardInterrupt) as error:
        return say_failure(error)
    return 0


def parser() -> argparse.ArgumentParser:
    """Of the program's whole command line, with what the environment says as defaults."""
    program = argparse.ArgumentParser("lepton-server", description="Stores model weights, and the git history beside them.")
    program.add_argument("--version", action="version", version=f"lepton-server {__version__}")
    commands = program.add_subparsers(required=True, metavar="COMMAND")
    place = place_options()
    for subject in _SUBJECTS:
        subject.add(commands, place)
    return program


if __name__ == "__main__":
    sys.exit(main())
