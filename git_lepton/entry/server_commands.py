"""Commands about a server, `git lepton SUBJECT COMMAND`: each a row of options and what to do with the server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Any

from git_lepton.entry.arguments import add_json, parser, print_json
from git_lepton.entry.terminal import show
from git_lepton.workflow.collaboration.administration import Opened, administration

if TYPE_CHECKING:
    import argparse

Do = Callable[[Opened, "argparse.Namespace"], Any]
"""What a command does; a message (or several) to be printed as JSON, or None."""


class Subject:
    """`git lepton NAME`, with the commands below it."""

    def __init__(self, name: str, text: str) -> None:
        self._parser = parser(name, text)
        self._below = self._parser.add_subparsers(required=True, metavar="COMMAND")
        self.commands: dict[str, argparse.ArgumentParser] = {}

    def add(self, name: str, text: str, do: Do, show: Callable[[Any], None], also: str = "") -> argparse.ArgumentParser:
        """A command below the subject; `show` tells a person what `do` gave, `also` is another word for it."""
        sentence, words = f"{text[:1].upper()}{text[1:]}.", [also] if also else []
        command = self._below.add_parser(name, help=text, description=sentence, allow_abbrev=False, aliases=words)
        add_place(command)
        command.set_defaults(do=do, show=show)
        self.commands[name] = command
        return command

    def run(self, arguments: Sequence[str]) -> int:
        options = self._parser.parse_args(arguments)
        return run(options, options.do, options.show)


def add_place(command: argparse.ArgumentParser) -> None:
    """Which server, and how the answer is printed."""
    where = command.add_mutually_exclusive_group()
    where.add_argument(
        "--server", metavar="HOST", help="HOST[:PORT] or the server's address (default: the one of the repository here)"
    )
    where.add_argument("--remote", metavar="NAME", help="the server of this remote (default: where a push goes)")
    add_json(command)


def run(options: argparse.Namespace, do: Do, show: Callable[[Any], None]) -> int:
    """Open the server, do it, say what came of it."""
    with administration(options.server, options.remote) as opened:
        found = do(opened, options)
    if options.json:
        print_json(_plain(found))
    else:
        show(found)
    return 0


def line(*columns: str) -> None:
    """One row of a list on standard output."""
    show("  ".join(column for column in columns if column))


def nothing(_: Any) -> None:
    """For commands that are done when they are done."""


def _plain(found: Any) -> Any:
    if isinstance(found, list):
        return [_plain(item) for item in found]
    return asdict(found) if is_dataclass(found) and not isinstance(found, type) else {} if found is None else found
