"""`git lepton org list|members|teams`."""

from __future__ import annotations

from collections.abc import Sequence

from git_lepton.entry.server_commands import Subject, line
from git_lepton.wire.people import NamedRole, Team


def main(arguments: Sequence[str]) -> int:
    """The organisations that one is in, their members and teams."""
    subject = Subject("org", "The organisations that you are in, their members and teams.")
    subject.add(
        "list", "list your organisations, and what you are there", lambda opened, _: opened.server.organisations(), _roles
    )
    text = "list the members of an organisation"
    members = subject.add("members", text, lambda opened, given: opened.server.members(given.organisation), _roles)
    text = "list the teams of an organisation"
    teams = subject.add("teams", text, lambda opened, given: opened.server.teams(given.organisation), _teams)
    for command in (members, teams):
        command.add_argument("organisation", metavar="ORG")
    return subject.run(arguments)


def _roles(found: list[NamedRole]) -> None:
    for one in found:
        line(f"{one.name:<20}", one.role)


def _teams(found: list[Team]) -> None:
    for team in found:
        line(f"{team.name:<20}", ", ".join(team.members))
