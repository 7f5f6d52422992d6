"""`lepton-server grant` and `lepton-server revoke`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from git_lepton.errors import WrongUse
from lepton_server.commands.data_options import existing
from lepton_server.commands.messages import say_all

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from lepton_server.identity.organisations import TeamRow
    from lepton_server.repositories.registry import Repository

Commands = argparse._SubParsersAction


def add(commands: Commands[argparse.ArgumentParser], place: argparse.ArgumentParser) -> None:
    grant = commands.add_parser("grant", parents=[place], help="give an account, or a team, a role in a repository")
    grant.add_argument("name", metavar="NAME", help="the name of an account, or ORG/TEAM")
    grant.add_argument("role", metavar="ROLE", help="reader, writer, maintainer or owner")
    grant.add_argument("repository", metavar="OWNER/REPO")
    grant.set_defaults(run=_grant)
    revoke = commands.add_parser("revoke", parents=[place], help="take a granted role away")
    revoke.add_argument("name", metavar="NAME", help="the name of an account, or ORG/TEAM")
    revoke.add_argument("repository", metavar="OWNER/REPO")
    revoke.set_defaults(run=_revoke)


def _grant(options: argparse.Namespace) -> None:
    from lepton_server.backends import changes
    from lepton_server.content import borrowed_bases
    from lepton_server.identity import accounts
    from lepton_server.repositories import grants
    from lepton_server.repositories.naming import known_repository

    with changes(existing(options)) as connection:
        grants.check_role(options.role)
        if "/" not in options.name:
            account, found = accounts.known(connection, options.name), known_repository(connection, options.repository)
            grants.grant(connection, accounts.operator(found.tenant), found, account, options.role)
            say_all(borrowed_bases.shown_to_more(connection, found))
            return
        found = known_repository(connection, options.repository)
        team = _team(connection, options.name, found)
        grants.grant_team(connection, accounts.operator(found.tenant), found, team.id, team.full_name, options.role)
        say_all(borrowed_bases.shown_to_more(connection, found))


def _revoke(options: argparse.Namespace) -> None:
    from lepton_server.backends import changes
    from lepton_server.identity import accounts
    from lepton_server.repositories import grants
    from lepton_server.repositories.naming import known_repository

    with changes(existing(options)) as connection:
        found = known_repository(connection, options.repository)
        by = accounts.operator(found.tenant)
        if "/" in options.name:
            team = _team(connection, options.name, found)
            grants.revoke_team(connection, by, found, team.id, team.full_name)
        else:
            grants.revoke(connection, by, found, accounts.known(connection, options.name))


def _team(connection: Connection, full_name: str, repository: Repository) -> TeamRow:
    from lepton_server.identity import accounts, organisations

    owner, _, name = full_name.partition("/")
    if owner.lower() != repository.owner.lower():
        raise WrongUse(f"{repository.full_name} does not lie under {owner}", "A team gets roles in its own organisation only.")
    found = organisations.team(connection, accounts.known(connection, owner), name)
    if found is None:
        raise WrongUse(f"there is no team {full_name!r}", f"Make it with `lepton-server team add {full_name}`.")
    return found
