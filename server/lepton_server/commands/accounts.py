"""`lepton-server user` and `lepton-server tenant`."""

from __future__ import annotations

import argparse

from lepton_server.commands.place import existing

Commands = argparse._SubParsersAction


def add(commands: Commands[argparse.ArgumentParser], place: argparse.ArgumentParser) -> None:
    user = commands.add_parser("user", help="accounts").add_subparsers(required=True, metavar="COMMAND")
    add_one = user.add_parser("add", parents=[place], help="add an account")
    add_one.add_argument("name", metavar="NAME")
    add_one.add_argument("--admin", action="store_true", help="may do everything in its tenant")
    add_one.add_argument("--robot", action="store_true", help="a program, not a person")
    add_one.add_argument("--tenant", default="default", metavar="NAME", help="where it belongs (default: default)")
    add_one.set_defaults(run=_add_user)
    list_all = user.add_parser("list", parents=[place], help="print all accounts")
    list_all.add_argument("--tenant", metavar="NAME", help="only those of this one")
    list_all.set_defaults(run=_list_users)
    for name, text in (("disable", "refuse all tokens of an account"), ("enable", "take them again")):
        change = user.add_parser(name, parents=[place], help=text)
        change.add_argument("name", metavar="NAME")
        change.set_defaults(run=_disable_user, disabled=name == "disable")
    tenant = commands.add_parser("tenant", help="parts of a server that know nothing of each other")
    of_tenant = tenant.add_subparsers(required=True, metavar="COMMAND")
    make = of_tenant.add_parser("add", parents=[place], help="add a tenant")
    make.add_argument("name", metavar="NAME")
    make.set_defaults(run=_add_tenant)
    of_tenant.add_parser("list", parents=[place], help="print all tenants").set_defaults(run=_list_tenants)


def _add_user(options: argparse.Namespace) -> None:
    from lepton_server.administration import add_user

    kind = "robot" if options.robot else "user"
    add_user(existing(options), options.name, admin=options.admin, kind=kind, tenant=options.tenant)


def _list_users(options: argparse.Namespace) -> None:
    from lepton_server import accounts, tenants
    from lepton_server.administration import opened

    with opened(existing(options)) as database, database.read() as connection:
        names = {number: name for name, number in tenants.listed(connection).items()}
        only = None if options.tenant is None else tenants.known(connection, options.tenant)
        for account in accounts.listed(connection, only):
            marks = [account.kind, *(["admin"] if account.admin else []), *(["disabled"] if account.disabled else [])]
            print(f"{account.name}\t{names[account.tenant]}\t{', '.join(marks)}")


def _disable_user(options: argparse.Namespace) -> None:
    from lepton_server import accounts
    from lepton_server.administration import changes

    with changes(existing(options)) as connection:
        account = accounts.known(connection, options.name)
        accounts.set_disabled(connection, accounts.operator(account.tenant), account, options.disabled)


def _add_tenant(options: argparse.Namespace) -> None:
    from lepton_server import tenants
    from lepton_server.administration import changes

    with changes(existing(options)) as connection:
        tenants.add(connection, options.name)


def _list_tenants(options: argparse.Namespace) -> None:
    from lepton_server import tenants
    from lepton_server.administration import opened

    with opened(existing(options)) as database, database.read() as connection:
        print("\n".join(tenants.listed(connection)))
