"""`lepton-server org` and `lepton-server team`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from git_lepton.errors import WrongUse
from lepton_server.commands.place import existing

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from lepton_server.accounts import AccountRow

Commands = argparse._SubParsersAction


def add(commands: Commands[argparse.ArgumentParser], place: argparse.ArgumentParser) -> None:
    org = commands.add_parser("org", help="organisations").add_subparsers(required=True, metavar="COMMAND")
    make = org.add_parser("add", parents=[place], help="add an organisation")
    make.add_argument("organisation", metavar="ORG")
    make.add_argument("--tenant", default="default", metavar="NAME", help="where it belongs (default: default)")
    make.set_defaults(run=_add_organisation)
    member = org.add_parser("member", parents=[place], help="let an account be a member, or an owner; without it: list them")
    member.add_argument("organisation", metavar="ORG")
    member.add_argument("name", metavar="NAME", nargs="?")
    member.add_argument("--role", choices=["member", "owner"], default="member", help="(default: member)")
    member.add_argument("--remove", action="store_true", help="let it be neither")
    member.set_defaults(run=_member)
    team = commands.add_parser("team", help="teams of organisations").add_subparsers(required=True, metavar="COMMAND")
    form = team.add_parser("add", parents=[place], help="add a team")
    form.add_argument("team", metavar="ORG/TEAM")
    form.add_argument("--remove", action="store_true", help="take it away, with all that it was granted")
    form.set_defaults(run=_add_team)
    join = team.add_parser("member", parents=[place], help="put an account into a team; without it: list them")
    join.add_argument("team", metavar="ORG/TEAM")
    join.add_argument("name", metavar="NAME", nargs="?")
    join.add_argument("--remove", action="store_true", help="take it out")
    join.set_defaults(run=_team_member)


def _add_organisation(options: argparse.Namespace) -> None:
    from lepton_server.administration import add_user

    add_user(existing(options), options.organisation, kind="organisation", tenant=options.tenant)


def _member(options: argparse.Namespace) -> None:
    from lepton_server import accounts, organisations

    with _organisation(options, options.organisation) as (connection, found):
        if options.name is None:
            print("\n".join(f"{name}\t{role}" for name, role in organisations.members_of(connection, found)))
            return
        by, account = accounts.operator(found.tenant), accounts.known(connection, options.name)
        if options.remove:
            organisations.remove_member(connection, by, found, account)
        else:
            organisations.set_member(connection, by, found, account, options.role)


def _add_team(options: argparse.Namespace) -> None:
    from lepton_server import accounts, organisations

    organisation, _, name = options.team.partition("/")
    with _organisation(options, organisation) as (connection, found):
        team = organisations.ensure_team(connection, accounts.operator(found.tenant), found, name)
        if options.remove:
            organisations.remove_team(connection, accounts.operator(found.tenant), team)


def _team_member(options: argparse.Namespace) -> None:
    from lepton_server import accounts, organisations

    organisation, _, name = options.team.partition("/")
    with _organisation(options, organisation) as (connection, found):
        team = organisations.team(connection, found, name)
        if team is None:
            raise WrongUse(f"there is no team {options.team!r}", f"Make it with `lepton-server team add {options.team}`.")
        if options.name is None:
            print("\n".join(dict(organisations.teams_of(connection, found))[team.name]))
            return
        by, account = accounts.operator(found.tenant), accounts.known(connection, options.name)
        if options.remove:
            organisations.remove_from_team(connection, by, team, account)
        else:
            organisations.add_to_team(connection, by, found, team, account)


@contextmanager
def _organisation(options: argparse.Namespace, name: str) -> Iterator[tuple[Connection, AccountRow]]:
    from lepton_server import accounts
    from lepton_server.administration import changes

    with changes(existing(options)) as connection:
        found = accounts.find(connection, name)
        if found is None or found.kind != "organisation":
            raise WrongUse(f"there is no organisation {name!r}", f"Make it with `lepton-server org add {name}`.")
        yield connection, found
