"""Command-line arguments with one set of manners: short messages, exit code 2 for wrong use, `--json` on what reports."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from git_lepton.errors import WrongUse
from git_lepton.format.visible import visible_json

if TYPE_CHECKING:
    from _typeshed import SupportsWrite


class BadArguments(WrongUse):
    """The arguments of a command are not what it takes."""


class _Described(Exception):
    """Instead of reading arguments: the parser that would."""

    def __init__(self, found: argparse.ArgumentParser) -> None:
        super().__init__()
        self.parser = found


class _Parser(argparse.ArgumentParser):
    describes = False  # whether parsers are to be looked at, and nothing is to be done

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        if _Parser.describes:
            raise _Described(self)
        return super().parse_known_args(args, namespace)

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Names may stand before, between and after options."""
        options, rest = self.parse_known_args(args, namespace)
        if not rest:
            return options
        mixed = any(action.nargs in ("*", "+") for action in self._get_positional_actions())
        return self.parse_intermixed_args(args, namespace) if mixed else super().parse_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        name = self.prog.replace("git lepton", "git-lepton", 1)
        raise BadArguments(f"{message[:1].lower()}{message[1:]}", f"Run: {name} -h")

    def _print_message(self, message: str, file: SupportsWrite[str] | None = None) -> None:
        (file or sys.stderr).write(message)  # argparse itself swallows what goes wrong


def parser(name: str, text: str) -> argparse.ArgumentParser:
    """The parser of `git lepton NAME`; `text` says what the command does. Wrong arguments raise BadArguments."""
    return _Parser(prog=f"git lepton {name}", description=text, allow_abbrev=False)


def parser_of(main: Callable[[Sequence[str]], int]) -> argparse.ArgumentParser:
    """The parser that a command reads its arguments with, which every command does first."""
    _Parser.describes = True
    try:
        main([])
    except _Described as found:
        return found.parser
    finally:
        _Parser.describes = False
    raise AssertionError("a command that takes no arguments")


def commands_below(command: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The commands below a command, by name."""
    below = [action for action in command._actions if isinstance(action, argparse._SubParsersAction)]
    return {name: each for action in below for name, each in action.choices.items()}


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
    text = json.dumps(value, indent=2, ensure_ascii=sys.stdout.encoding.lower() not in ("utf-8", "utf8"))
    sys.stdout.write(visible_json(text) + "\n")
