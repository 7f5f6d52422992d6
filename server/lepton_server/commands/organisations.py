"""`lepton-server org` and `lepton-server team`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from git_lepton.errors import WrongUse
from lepton_server.commands.data_options import existing
from lepton_server.commands.messages import say_all, show

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from lepton_server.identity.accounts import AccountRow

Commands = argparse._SubParsersAction


def add(commands: Commands[argparse.ArgumentParser], place: argparse.ArgumentParser) -> None:
    org = commands.add_parser("org", help="organisations").add_subparsers(required=True, metavar="COMMAND")
    make = org.add_parser("add", parents=[place], help="add an organisation")
    make.add_argument("organisation", metavar="ORG")
    make.add_argument("--tenant", default="default", metavar="NAME", help="the tenant that it belongs to (default: default)")
    make.set_defaults(run=_add_organisation)
    member = org.add_parser("member", parents=[place], help="make an account a member or an owner; without NAME: list them")
    member.add_argument("organisation", metavar="ORG")
    member.add_argument("name", metavar="NAME", nargs="?")
    member.add_argument("--role", choices=["member", "owner"], default="member", help="(default: member)")
    member.add_argument("--remove", action="store_true", help="remove the account from the organisation")
    member.set_defaults(run=_member)
    team = commands.add_parser("team", help="teams of organisations").add_subparsers(required=True, metavar="COMMAND")
    form = team.add_parser("add", parents=[place], help="add a team")
    form.add_argument("team", metavar="ORG/TEAM")
    form.add_argument("--remove", action="store_true", help="remove the team and all roles that it was granted")
    form.set_defaults(run=_add_team)
    join = team.add_parser("member", parents=[place], help="add an account to a team; without NAME: list its members")
    join.add_argument("team", metavar="ORG/TEAM")
    join.add_argument("name", metavar="NAME", nargs="?")
    join.add_argument("--remove", action="store_true", help="remove the account from the team")
    join.set_defaults(run=_team_member)


def _add_organisation(options: argparse.Namespace) -> None:
    from lepton_server.admin.provisioning import add_user

    add_user(existing(options), options.organisation, kind="organisation", tenant=options.tenant)


def _member(options: argparse.Namespace) -> None:
    from lepton_server.content import borrowed_bases
    from lepton_server.identity import accounts, organisations

    with _organisation(options, options.organisation) as (connection, found):
        if options.name is None:
            show("\n".join(f"{name}\t{role}" for name, role in organisations.members_of(connection, found)))
            return
        by, account = accounts.operator(found.tenant), accounts.known(connection, options.name)
        if options.remove:
            organisations.remove_member(connection, by, found, account)
        else:
            organisations.set_member(connection, by, found, account, options.role)
            say_all(borrowed_bases.shown_to_member(connection, account.id, found.id))


def _add_team(options: argparse.Namespace) -> None:
    from lepton_server.identity import accounts, organisations

    organisation, _, name = options.team.partition("/")
    with _organisation(options, organisation) as (connection, found):
        team = organisations.ensure_team(connection, accounts.operator(found.tenant), found, name)
        if options.remove:
            organisations.remove_team(connection, accounts.operator(found.tenant), team)


def _team_member(options: argparse.Namespace) -> None:
    from lepton_server.content import borrowed_bases
    from lepton_server.identity import accounts, organisations

    organisation, _, name = options.team.partition("/")
    with _organisation(options, organisation) as (connection, found):
        team = organisations.team(connection, found, name)
        if team is None:
            raise WrongUse(f"there is no team {options.team!r}", f"Make it with `lepton-server team add {options.team}`.")
        if options.name is None:
            show("\n".join(dict(organisations.teams_of(connection, found))[team.name]))
            return
        by, account = accounts.operator(found.tenant), accounts.known(connection, options.name)
        if options.remove:
            organisations.remove_from_team(connection, by, team, account)
        else:
            organisations.add_to_team(connection, by, found, team, account)
            say_all(borrowed_bases.shown_to_member(connection, account.id, found.id))


@contextmanager
def _organisation(options: argparse.Namespace, name: str) -> Iterator[tuple[Connection, AccountRow]]:
    from lepton_server.backends import changes
    from lepton_server.identity import accounts

    with changes(existing(options)) as connection:
        found = accounts.find(connection, name)
        if found is None or found.kind != "organisation":
            raise WrongUse(f"there is no organisation {name!r}", f"Make it with `lepton-server org add {name}`.")
        yield connection, found
