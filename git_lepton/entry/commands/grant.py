"""`git lepton grant NAME ROLE OWNER/REPO`."""

from __future__ import annotations

from collections.abc import Sequence

from git_lepton.entry.arguments import parser
from git_lepton.entry.server_commands import add_place, run
from git_lepton.entry.terminal import say


def main(arguments: Sequence[str]) -> int:
    """Give an account or a team a role in a repository."""
    command = parser("grant", "Give an account, or a team, a role in a repository that you own.")
    command.add_argument("name", metavar="NAME", help="the name of an account, or ORG/TEAM")
    command.add_argument("role", metavar="ROLE", help="reader, writer, maintainer or owner")
    command.add_argument("repository", metavar="OWNER/REPO")
    add_place(command)
    options = command.parse_args(arguments)
    done = f"{options.name} is granted {options.role} in {options.repository}"
    return run(options, lambda opened, given: opened.server.grant(given.repository, given.name, given.role), lambda _: say(done))
