"""`lepton-server audit`."""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict

from lepton_server.commands.argument_types import duration
from lepton_server.commands.data_options import existing
from lepton_server.commands.messages import show

Commands = argparse._SubParsersAction
_PAGE = 1000


def add(commands: Commands[argparse.ArgumentParser], place: argparse.ArgumentParser) -> None:
    audit = commands.add_parser("audit", parents=[place], help="print who did what, from where; oldest first")
    audit.add_argument("--account", default="", metavar="NAME", help="only what this account did")
    audit.add_argument("--repository", default="", metavar="OWNER/REPO", help="only what was done there")
    audit.add_argument("--action", default="", metavar="ACTION", help="only this action, such as token.create, or all of token")
    audit.add_argument("--since", type=duration, metavar="TIME", help="only the last 90s, 15m, 24h or 7d")
    audit.add_argument("--until", type=duration, metavar="TIME", help="leave out the last 90s, 15m, 24h or 7d")
    audit.add_argument("--tenant", metavar="NAME", help="only what was done in this tenant")
    audit.add_argument("--json", action="store_true", help="print one JSON object per line")
    audit.set_defaults(run=_audit)


def _audit(options: argparse.Namespace) -> None:
    from lepton_server.backends import opened
    from lepton_server.database.transactions import clock
    from lepton_server.identity import tenants
    from lepton_server.identity.audit_log import Wanted, search
    from lepton_server.repositories import registry

    with opened(existing(options)) as database:
        with database.read() as connection:
            now = clock(connection)
            since, until = (None if ago is None else now - int(ago * 1000) for ago in (options.since, options.until))
            owner, _, name = options.repository.partition("/")
            found = registry.find(connection, owner, name)
            where = found.id if found else options.repository
            tenant = None if options.tenant is None else tenants.known(connection, options.tenant)
        wanted = Wanted(tenant, where, options.account, options.action, since, until)
        last = 0
        while True:
            with database.read() as connection:
                rows = search(connection, wanted, last, _PAGE)
            for row in rows:
                show(json.dumps(asdict(row)) if options.json else _line(asdict(row)))
            if len(rows) < _PAGE:
                return
            last = rows[-1].id


def _line(row: dict[str, object]) -> str:
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(str(row["at"])) / 1000))
    told = [at, row["account"] or "nobody", row["address"] or "-", row["action"], row["repository"] or "-", row["subject"] or "-"]
    return "\t".join([*map(str, told), json.dumps(row["detail"])])
