"""`lepton-server token`."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from git_lepton.errors import WrongUse
from lepton_server.commands.place import existing
from lepton_server.commands.values import at_least_one, duration, number_of_days

if TYPE_CHECKING:
    from lepton_server.tokens import TokenRow

Commands = argparse._SubParsersAction


def add(commands: Commands[argparse.ArgumentParser], place: argparse.ArgumentParser) -> None:
    token = commands.add_parser("token", help="tokens").add_subparsers(required=True, metavar="COMMAND")
    create = token.add_parser("create", parents=[place], help="print a new token of an account, and nothing else")
    create.add_argument("name", metavar="NAME")
    create.add_argument("--label", default="", metavar="TEXT", help="what it is for")
    create.add_argument("--days", type=number_of_days, metavar="DAYS", help="how long it lasts (default: for ever)")
    text = "what it may be used for, joined by commas: read, write, evidence, admin (default: all)"
    create.add_argument("--scopes", default="read,write,evidence,admin", metavar="SCOPES", help=text)
    create.add_argument(
        "--repository", action="append", metavar="OWNER/REPO", help="where alone it may be used; may be given several times"
    )
    create.add_argument("--robot", action="store_true", help="make the account, a robot's, if it is not there")
    create.set_defaults(run=_create)
    shown = token.add_parser("list", parents=[place], help="print the tokens of an account, without their secrets")
    shown.add_argument("name", metavar="NAME")
    shown.set_defaults(run=_list)
    revoke = token.add_parser("revoke", parents=[place], help="end the tokens of an account")
    revoke.add_argument("name", metavar="NAME")
    revoke.add_argument("--label", metavar="TEXT", help="only those made with this label")
    revoke.add_argument("--id", type=at_least_one, metavar="NUMBER", help="only this one")
    revoke.set_defaults(run=_revoke)
    rotate = token.add_parser("rotate", parents=[place], help="print a new secret with the rights of a token, which ends soon")
    rotate.add_argument("name", metavar="NAME")
    rotate.add_argument("id", type=at_least_one, metavar="NUMBER", help="as `token list` says")
    rotate.add_argument(
        "--overlap", type=duration, default=600.0, metavar="TIME", help="for which the old one is good too (default: 10m)"
    )
    rotate.set_defaults(run=_rotate)


def _create(options: argparse.Namespace) -> None:
    from lepton_server import accounts, tokens
    from lepton_server.administration import changes, known_repository

    with changes(existing(options)) as connection:
        if options.robot:
            accounts.ensure_account(connection, options.name, kind="robot")
        account = accounts.known(connection, options.name)
        if account.kind == "organisation" or (options.robot and account.kind != "robot"):
            raise WrongUse(
                f"{account.name} is no robot" if options.robot else f"{account.name} is an organisation",
                "Choose another account.",
            )
        limits = options.repository and [known_repository(connection, name) for name in options.repository]
        scopes = tokens.scopes_of(options.scopes.split(","))
        print(tokens.create_token(connection, account.id, options.label, options.days, scopes=scopes, limited_to=limits))


def _list(options: argparse.Namespace) -> None:
    from lepton_server import accounts, repositories, tokens
    from lepton_server.administration import opened

    with opened(existing(options)) as database, database.read() as connection:
        for token in tokens.of_account(connection, accounts.known(connection, options.name).id):
            where = "all" if token.limited_to is None else " ".join(repositories.named(connection, token.limited_to))
            ends = _date(token.expires) if token.expires else "never"
            used = _date(token.last_used) if token.last_used else "never"
            print(f"{token.id}\t{token.label}\t{','.join(sorted(token.scopes))}\t{where}\tends {ends}\tused {used}")


def _revoke(options: argparse.Namespace) -> None:
    from lepton_server import accounts, tokens
    from lepton_server.administration import changes

    with changes(existing(options)) as connection:
        account = accounts.known(connection, options.name)
        mine = tokens.of_account(connection, account.id)
        ended = [token for token in mine if options.label in (None, token.label) and options.id in (None, token.id)]
        for token in ended:
            tokens.revoke(connection, accounts.operator(account.tenant), token)
    print(f"{len(ended)} revoked")


def _rotate(options: argparse.Namespace) -> None:
    from lepton_server import accounts, tokens
    from lepton_server.administration import changes

    with changes(existing(options)) as connection:
        account = accounts.known(connection, options.name)
        found: TokenRow | None = tokens.by_id(connection, options.id)
        if found is None or found.account != account.id:
            raise WrongUse(f"{account.name} has no token {options.id}", f"See `lepton-server token list {account.name}`.")
        print(tokens.rotate(connection, accounts.operator(account.tenant), found, options.overlap))


def _date(milliseconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime(milliseconds / 1000))
