"""`lepton-server usage` and `quota`."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from lepton_server.commands.argument_types import size
from lepton_server.commands.data_options import existing
from lepton_server.commands.messages import show

Commands = argparse._SubParsersAction


def add(commands: Commands[argparse.ArgumentParser], place: argparse.ArgumentParser) -> None:
    usage = commands.add_parser(
        "usage", parents=[place], help="print how much space weights take, by tenant and repository, or by branch"
    )
    which = usage.add_mutually_exclusive_group()
    which.add_argument("--tenant", metavar="NAME", help="only this tenant")
    which.add_argument("--owner", metavar="NAME", help="only what belongs to this account")
    which.add_argument("--repository", metavar="OWNER/REPO", help="only this one")
    which.add_argument(
        "--branches", metavar="OWNER/REPO", help="by branch: how much each one reaches, and how much would go with it"
    )
    which.add_argument("--recount", action="store_true", help="count again what quotas count, print nothing")
    usage.add_argument("--json", action="store_true", help="print one JSON object")
    usage.set_defaults(run=_usage)
    quota = commands.add_parser("quota", help="how much may be stored").add_subparsers(required=True, metavar="COMMAND")
    put = quota.add_parser("set", parents=[place], help="set what a repository, or a tenant, may store")
    _add_whose(put)
    put.add_argument("limit", type=_limit, metavar="SIZE", help="such as 500m, 20g or 2t; none removes the limit")
    put.set_defaults(run=_set)
    show = quota.add_parser("show", parents=[place], help="print how much may be stored, and how much is")
    _add_whose(show)
    show.add_argument("--json", action="store_true", help="print one JSON object")
    show.set_defaults(run=_show)


def _add_whose(command: argparse.ArgumentParser) -> None:
    whose = command.add_mutually_exclusive_group(required=True)
    whose.add_argument("--tenant", metavar="NAME", help="all repositories of a tenant together, each counted on its own")
    whose.add_argument("repository", nargs="?", metavar="OWNER/REPO")


def _limit(text: str) -> int | None:
    try:
        return None if text == "none" else size(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error}, or none") from None


def _usage(options: argparse.Namespace) -> None:
    from lepton_server.admin import usage

    settings = existing(options)
    if options.recount:
        usage.recount(settings)
        return
    if options.branches:
        found = usage.branches(settings, options.branches)
        if options.json:
            show(json.dumps({"branches": [asdict(one) for one in found]}))
            return
        rows = [[one.branch, str(one.files), *_bytes(one.raw, one.stored, one.only)] for one in found]
        _table(["branch", "files", "raw", "stored", "only here"], rows)
        return
    bill = usage.usage(settings, options.tenant, options.owner, options.repository)
    if options.json:
        show(json.dumps(asdict(bill)))
        return
    if bill.tenants:
        rows = [[t.tenant, str(t.repositories), *_bytes(t.raw, t.stored, t.alone, t.packs, t.git, t.quota)] for t in bill.tenants]
        _table(["tenant", "repositories", "raw", "stored", "each alone", "packs", "git", "quota"], rows)
        print()
    rows = [
        [one.repository, str(one.files), *_bytes(one.file_bytes, one.raw, one.stored, one.unique, one.shared, one.git, one.quota)]
        for one in bill.repositories
    ]
    _table(["repository", "files", "file bytes", "raw", "stored", "unique", "shared", "git", "quota"], rows)


def _set(options: argparse.Namespace) -> None:
    from lepton_server.admin.usage import set_quota

    set_quota(existing(options), options.limit, options.repository, options.tenant)


def _show(options: argparse.Namespace) -> None:
    from lepton_server.admin.usage import quota

    found = quota(existing(options), options.repository, options.tenant)
    if options.json:
        show(json.dumps(asdict(found)))
    else:
        used, limit = _bytes(found.used, found.limit)
        show(f"{used} stored of {limit}")


def _bytes(*sizes: int | None) -> list[str]:
    from lepton_server.wording import told

    return ["any" if size is None else told(size) for size in sizes]


def _table(heads: list[str], rows: list[list[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    for row in [heads, *rows]:
        first, *rest = row
        show("  ".join([first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))]))
