"""The program `lepton-server`: serves a data folder, and changes accounts, tokens, rights and repositories in it."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Callable, Sequence

from git_lepton import __version__
from git_lepton.errors import LeptonError, WrongUse
from lepton_server.commands import accounts, care, repositories, serve
from lepton_server.commands.place import place_options

_OUR_BUG = 70
_SUBJECTS = (serve, accounts, repositories, care)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    options = _parser().parse_args(arguments)
    try:
        run: Callable[[argparse.Namespace], None] = options.run
        run(options)
    except LeptonError as error:
        print(f"lepton-server: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        print(f"lepton-server: {error.strerror}: {error.filename}", file=sys.stderr)
        return WrongUse.exit_code
    except Exception:
        traceback.print_exc()
        print("lepton-server: this is our bug; please report what is above", file=sys.stderr)
        return _OUR_BUG
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("lepton-server", description="Stores model weights, and the git history beside them.")
    parser.add_argument("--version", action="version", version=f"lepton-server {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    place = place_options()
    for subject in _SUBJECTS:
        subject.add(commands, place)
    return parser


if __name__ == "__main__":
    sys.exit(main())
