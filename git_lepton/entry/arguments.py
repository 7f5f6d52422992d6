"""Command-line arguments with one set of manners: short messages, exit code 2 for wrong use, `--json` on what reports."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any, NoReturn

from git_lepton.errors import WrongUse


class BadArguments(WrongUse):
    """The arguments of a command are not what it takes."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        name = self.prog.replace("git lepton", "git-lepton", 1)
        raise BadArguments(f"{message[:1].lower()}{message[1:]}", f"Run: {name} -h")


def parser(name: str, text: str) -> argparse.ArgumentParser:
    """The parser of `git lepton NAME`; `text` says what the command does. Wrong arguments raise BadArguments."""
    return _Parser(prog=f"git lepton {name}", description=text, allow_abbrev=False)


def whole_number(text: str) -> int:
    """For argparse."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from None


def add_json(command: argparse.ArgumentParser) -> None:
    """`--json`: the report as one JSON value on standard output."""
    command.add_argument("--json", action="store_true", help="print the report as JSON")


def print_json(value: Any) -> None:
    """One JSON value on standard output, for programs and for people."""
    json.dump(value, sys.stdout, indent=2, ensure_ascii=sys.stdout.encoding.lower() not in ("utf-8", "utf8"))
    sys.stdout.write("\n")
