"""`lepton-server user`, `token` and `grant`."""

from __future__ import annotations

import argparse

from lepton_server.commands.place import existing
from lepton_server.commands.values import number_of_days

Commands = argparse._SubParsersAction


def add(commands: Commands[argparse.ArgumentParser], place: argparse.ArgumentParser) -> None:
    user = commands.add_parser("user", help="accounts").add_subparsers(required=True, metavar="COMMAND")
    add_one = user.add_parser("add", parents=[place], help="add an account")
    add_one.add_argument("name", metavar="NAME")
    add_one.add_argument("--admin", action="store_true", help="may do everything")
    add_one.set_defaults(run=_add_user)
    token = commands.add_parser("token", help="tokens").add_subparsers(required=True, metavar="COMMAND")
    create = token.add_parser("create", parents=[place], help="print a new token of an account, and nothing else")
    create.add_argument("name", metavar="NAME")
    create.add_argument("--label", default="", metavar="TEXT", help="what it is for")
    create.add_argument("--days", type=number_of_days, metavar="DAYS", help="how long it lasts (default: for ever)")
    create.set_defaults(run=_create_token)
    revoke = token.add_parser("revoke", parents=[place], help="end the tokens of an account")
    revoke.add_argument("name", metavar="NAME")
    revoke.add_argument("--label", metavar="TEXT", help="only those made with this label")
    revoke.set_defaults(run=_revoke_tokens)
    grant = commands.add_parser("grant", parents=[place], help="give an account a role in a repository")
    grant.add_argument("name", metavar="NAME")
    grant.add_argument("role", metavar="ROLE", help="reader, writer, maintainer or owner")
    grant.add_argument("repository", metavar="OWNER/REPO")
    grant.set_defaults(run=_grant)


def _add_user(options: argparse.Namespace) -> None:
    from lepton_server.administration import add_user

    add_user(existing(options), options.name, admin=options.admin)


def _create_token(options: argparse.Namespace) -> None:
    from lepton_server.administration import new_token

    print(new_token(existing(options), options.name, options.label, options.days))


def _revoke_tokens(options: argparse.Namespace) -> None:
    from lepton_server.administration import revoke_tokens

    print(f"{revoke_tokens(existing(options), options.name, options.label)} revoked")


def _grant(options: argparse.Namespace) -> None:
    from lepton_server.administration import grant

    grant(existing(options), options.name, options.role, options.repository)
