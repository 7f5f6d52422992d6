"""`git lepton revoke NAME OWNER/REPO`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from git_lepton.entry.arguments import parser
from git_lepton.entry.server_commands import add_place, nothing, run
from git_lepton.entry.terminal import say
from git_lepton.errors import NotAllowed

if TYPE_CHECKING:
    import argparse

    from git_lepton.workflow.collaboration.administration import Opened


def main(arguments: Sequence[str]) -> int:
    """Take a role back that was granted."""
    command = parser("revoke", "Take away a role that an account, or a team, was granted in a repository that you own.")
    command.add_argument("name", metavar="NAME", help="the name of an account, or ORG/TEAM")
    command.add_argument("repository", metavar="OWNER/REPO")
    add_place(command)
    options = command.parse_args(arguments)
    return run(options, _revoke, nothing)


def _revoke(opened: Opened, options: argparse.Namespace) -> None:
    """Take it back, and say what was and which role remains by something else."""
    name, repository = options.name, options.repository
    granted = opened.server.grants(repository)
    opened.server.revoke(repository, name)
    if options.json:
        return
    rows = [*granted.accounts, *(replace(row, name=_full(repository, row.name)) for row in granted.teams)]
    roles = [row.role for row in rows if row.name.lower() == name.lower()]
    say(f"{name} is no longer granted {roles[0]} in {repository}" if roles else f"nothing was granted to {name} in {repository}")
    try:
        accounts = opened.server.access(repository).accounts
    except NotAllowed:  # the role was one's own: what is done is done, and of others one is told nothing any more
        return
    for account in accounts:
        if account.name.lower() == name.lower():
            say(f"{account.name} is still {account.role} there: {'; '.join(account.by)}")


def _full(repository: str, team: str) -> str:
    return team if "/" in team else f"{repository.partition('/')[0]}/{team}"
