"""`lepton-server token`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from git_lepton.errors import WrongUse
from lepton_server.commands.argument_types import at_least_one, duration, number_of_days
from lepton_server.commands.data_options import existing
from lepton_server.commands.messages import moment, show

if TYPE_CHECKING:
    from lepton_server.identity.tokens import TokenRow

Commands = argparse._SubParsersAction


def add(commands: Commands[argparse.ArgumentParser], place: argparse.ArgumentParser) -> None:
    token = commands.add_parser("token", help="tokens").add_subparsers(required=True, metavar="COMMAND")
    create = token.add_parser("create", parents=[place], help="print a new token of an account, and nothing else")
    create.add_argument("name", metavar="NAME")
    create.add_argument("--label", default="", metavar="TEXT", help="what it is for")
    create.add_argument(
        "--days", type=number_of_days, metavar="DAYS", help="for how many days it is good (default: without limit)"
    )
    text = "what it may be used for, joined by commas: read, write, evidence, admin (default: all)"
    create.add_argument("--scopes", default="read,write,evidence,admin", metavar="SCOPES", help=text)
    create.add_argument(
        "--repository",
        action="append",
        metavar="OWNER/REPO",
        help="the only repository that it may be used for; may be given several times",
    )
    create.add_argument("--robot", action="store_true", help="create the account, as a robot's, if it does not exist")
    create.set_defaults(run=_create)
    shown = token.add_parser("list", parents=[place], help="print the tokens of an account, without their secrets")
    shown.add_argument("name", metavar="NAME")
    shown.set_defaults(run=_list)
    revoke = token.add_parser("revoke", parents=[place], help="end the tokens of an account")
    revoke.add_argument("name", metavar="NAME")
    revoke.add_argument("--label", metavar="TEXT", help="only those made with this label")
    revoke.add_argument("--id", type=at_least_one, metavar="NUMBER", help="only this one")
    revoke.set_defaults(run=_revoke)
    rotate = token.add_parser("rotate", parents=[place], help="print a new token with the rights of an old one, which ends soon")
    rotate.add_argument("name", metavar="NAME")
    rotate.add_argument("id", type=at_least_one, metavar="NUMBER", help="the token's number, as `token list` prints it")
    rotate.add_argument(
        "--overlap", type=duration, default=600.0, metavar="TIME", help="how long the old token stays good (default: 10m)"
    )
    rotate.set_defaults(run=_rotate)


def _create(options: argparse.Namespace) -> None:
    from lepton_server.backends import changes
    from lepton_server.identity import accounts, tokens
    from lepton_server.repositories.naming import known_repository

    with changes(existing(options)) as connection:
        if options.robot:
            accounts.ensure_account(connection, options.name, kind="robot")
        account = accounts.known(connection, options.name)
        if account.kind == "organisation" or (options.robot and account.kind != "robot"):
            raise WrongUse(
                f"{account.name} is no robot" if options.robot else f"{account.name} is an organisation",
                "Choose another account.",
            )
        limited = [known_repository(connection, name) for name in options.repository or ()]
        limits = {one.id: one.full_name for one in limited} or None
        scopes = tokens.scopes_of(options.scopes.split(","))
        show(tokens.create_token(connection, account.id, options.label, options.days, scopes=scopes, limited_to=limits))


def _list(options: argparse.Namespace) -> None:
    from lepton_server.backends import opened
    from lepton_server.identity import accounts, tokens
    from lepton_server.repositories import registry

    with opened(existing(options)) as database, database.read() as connection:
        for token in tokens.of_account(connection, accounts.known(connection, options.name).id):
            where = "all" if token.limited_to is None else " ".join(registry.named(connection, token.limited_to))
            ends = moment(token.expires) if token.expires else "never"
            used = moment(token.last_used) if token.last_used else "never"
            show(f"{token.id}\t{token.label}\t{','.join(sorted(token.scopes))}\t{where}\tends {ends}\tused {used}")


def _revoke(options: argparse.Namespace) -> None:
    from lepton_server.backends import changes
    from lepton_server.identity import accounts, tokens

    with changes(existing(options)) as connection:
        account = accounts.known(connection, options.name)
        mine = tokens.of_account(connection, account.id)
        ended = [token for token in mine if options.label in (None, token.label) and options.id in (None, token.id)]
        for token in ended:
            tokens.revoke(connection, accounts.operator(account.tenant), token)
    show(f"{len(ended)} revoked")


def _rotate(options: argparse.Namespace) -> None:
    from lepton_server.backends import changes
    from lepton_server.identity import accounts, tokens

    with changes(existing(options)) as connection:
        account = accounts.known(connection, options.name)
        found: TokenRow | None = tokens.by_id(connection, options.id)
        if found is None or found.account != account.id:
            raise WrongUse(f"{account.name} has no token {options.id}", f"See `lepton-server token list {account.name}`.")
        show(tokens.rotate(connection, accounts.operator(account.tenant), found, options.overlap))
