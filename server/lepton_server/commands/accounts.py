"""`lepton-server user` and `lepton-server tenant`."""

from __future__ import annotations

import argparse

from git_lepton.errors import WrongUse
from lepton_server.commands.data_options import existing
from lepton_server.commands.messages import say, show

Commands = argparse._SubParsersAction


def add(commands: Commands[argparse.ArgumentParser], place: argparse.ArgumentParser) -> None:
    user = commands.add_parser("user", help="accounts").add_subparsers(required=True, metavar="COMMAND")
    add_one = user.add_parser("add", parents=[place], help="add an account")
    add_one.add_argument("name", metavar="NAME")
    add_one.add_argument("--admin", action="store_true", help="the account may do everything in its tenant")
    add_one.add_argument("--robot", action="store_true", help="the account is for a program, not a person")
    add_one.add_argument("--tenant", default="default", metavar="NAME", help="the tenant that it belongs to (default: default)")
    add_one.set_defaults(run=_add_user)
    list_all = user.add_parser("list", parents=[place], help="print all accounts")
    list_all.add_argument("--tenant", metavar="NAME", help="only those of this tenant")
    list_all.add_argument("--deleted", action="store_true", help="those that were deleted and can be brought back")
    list_all.set_defaults(run=_list_users)
    for name, text in (
        ("disable", "refuse all tokens of an account"),
        ("enable", "accept the tokens of a disabled account again"),
    ):
        change = user.add_parser(name, parents=[place], help=text)
        change.add_argument("name", metavar="NAME")
        change.set_defaults(run=_disable_user, disabled=name == "disable")
    rename = user.add_parser("rename", parents=[place], help="rename an account; old addresses lead to its repositories")
    rename.add_argument("name", metavar="NAME")
    rename.add_argument("to", metavar="NEW")
    rename.set_defaults(run=_rename_user)
    text = "hide an account and its repositories at once; gc finally removes them later"
    remove = user.add_parser("delete", parents=[place], help=text)
    remove.add_argument("name", metavar="NAME")
    remove.set_defaults(run=_delete_user)
    back = user.add_parser("undelete", parents=[place], help="bring a deleted account back, with its tokens and repositories")
    back.add_argument("name", metavar="NAME")
    back.set_defaults(run=_undelete_user)
    text = "let somebody else have the former name of an account that was renamed or removed"
    free = user.add_parser("free-name", parents=[place], help=text)
    free.add_argument("name", metavar="NAME")
    free.set_defaults(run=_free_name)
    tenant = commands.add_parser("tenant", help="separate parts of a server, one for each customer")
    of_tenant = tenant.add_subparsers(required=True, metavar="COMMAND")
    make = of_tenant.add_parser("add", parents=[place], help="add a tenant")
    make.add_argument("name", metavar="NAME")
    make.set_defaults(run=_add_tenant)
    of_tenant.add_parser("list", parents=[place], help="print all tenants").set_defaults(run=_list_tenants)


def _add_user(options: argparse.Namespace) -> None:
    from lepton_server.admin.provisioning import add_user

    kind = "robot" if options.robot else "user"
    add_user(existing(options), options.name, admin=options.admin, kind=kind, tenant=options.tenant)


def _list_users(options: argparse.Namespace) -> None:
    from lepton_server.backends import opened
    from lepton_server.identity import accounts, tenants

    with opened(existing(options)) as database, database.read() as connection:
        names = {number: name for name, number in tenants.listed(connection).items()}
        only = None if options.tenant is None else tenants.known(connection, options.tenant)
        for account in accounts.listed(connection, only, deleted=options.deleted):
            marks = [account.kind, *(["admin"] if account.admin else []), *(["disabled"] if account.disabled else [])]
            show(f"{account.name}\t{names[account.tenant]}\t{', '.join(marks)}")


def _disable_user(options: argparse.Namespace) -> None:
    from lepton_server.backends import changes
    from lepton_server.identity import accounts

    with changes(existing(options)) as connection:
        account = accounts.known(connection, options.name)
        accounts.set_disabled(connection, accounts.operator(account.tenant), account, options.disabled)


def _rename_user(options: argparse.Namespace) -> None:
    from lepton_server.backends import changes
    from lepton_server.identity import accounts
    from lepton_server.repositories import account_renaming

    with changes(existing(options)) as connection:
        account = accounts.known(connection, options.name)
        account_renaming.rename(connection, accounts.operator(account.tenant), account, options.to)


def _delete_user(options: argparse.Namespace) -> None:
    from lepton_server.backends import changes
    from lepton_server.identity import accounts
    from lepton_server.repositories import deletion

    with changes(existing(options)) as connection:
        account = accounts.known(connection, options.name)
        deletion.delete_account(connection, accounts.operator(account.tenant), account)
    say(f"until gc makes it gone: lepton-server user undelete {account.name}")


def _undelete_user(options: argparse.Namespace) -> None:
    from lepton_server.backends import changes
    from lepton_server.identity import accounts
    from lepton_server.repositories import deletion

    with changes(existing(options)) as connection:
        account = accounts.find_deleted(connection, options.name)
        if account is None:
            raise WrongUse(f"there is no deleted account {options.name!r}", "See: lepton-server user list --deleted")
        deletion.undelete_account(connection, accounts.operator(account.tenant), account)


def _free_name(options: argparse.Namespace) -> None:
    from lepton_server.backends import changes
    from lepton_server.identity import former_names

    with changes(existing(options)) as connection:
        if not former_names.free(connection, options.name):
            raise WrongUse(f"no account was called {options.name!r} before", "Any account can be called so.")


def _add_tenant(options: argparse.Namespace) -> None:
    from lepton_server.backends import changes
    from lepton_server.identity import tenants

    with changes(existing(options)) as connection:
        tenants.add(connection, options.name)


def _list_tenants(options: argparse.Namespace) -> None:
    from lepton_server.backends import opened
    from lepton_server.identity import tenants

    with opened(existing(options)) as database, database.read() as connection:
        show("\n".join(tenants.listed(connection)))
