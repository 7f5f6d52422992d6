"""`git lepton env`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from git_lepton.entry.arguments import add_json, parser, print_json
from git_lepton.entry.terminal import show
from git_lepton.git.repository import GitRepository
from git_lepton.settings import Settings
from git_lepton.workflow.setup.environment import describe


def main(arguments: Sequence[str]) -> int:
    """Print versions, places, settings and which store is used by which rule. Never a token."""
    command = parser("env", "Print versions, places, settings, and which store is used by which rule. Never a token.")
    add_json(command)
    options = command.parse_args(arguments)
    git = GitRepository()
    found = describe(git, Settings(git))
    if options.json:
        print_json(found)
    else:
        show(*_lines(found))
    return 0


def _lines(found: dict[str, Any]) -> Iterator[str]:
    for section, values in found.items():
        if not isinstance(values, dict):
            yield f"{section}: {(', '.join(values) if isinstance(values, list) else values) or 'none'}"
            continue
        yield f"{section}:"
        for name, value in values.items():
            if section == "settings":
                yield f"    {name} = {'not set' if value['value'] is None else value['value']}  ({value['source']})"
            elif value not in (None, ""):
                yield f"    {name}: {value}"
