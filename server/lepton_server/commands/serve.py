"""`lepton-server serve` and `lepton-server migrate`."""

from __future__ import annotations

import argparse
from dataclasses import replace

from git_lepton.errors import WrongUse
from lepton_server.commands.exposure import exposed, exposure_options
from lepton_server.commands.place import existing, settings_of
from lepton_server.commands.values import at_least_one, how_many, port_number

Commands = argparse._SubParsersAction


def add(commands: Commands[argparse.ArgumentParser], place: argparse.ArgumentParser) -> None:
    serve = commands.add_parser("serve", parents=[place], help="serve a folder")
    serve.add_argument("--host", default="127.0.0.1", help="where to listen (default: this machine only)")
    serve.add_argument("--port", type=port_number, metavar="PORT", default=8417, help="0 takes a free one (default: 8417)")
    serve.add_argument(
        "--workers", type=at_least_one, default=1, metavar="COUNT", help="processes; the embedded database serves one"
    )
    serve.add_argument(
        "--session-seconds",
        type=how_many,
        metavar="SECONDS",
        default=3600,
        help="after which an unused upload ends (default: 3600)",
    )
    serve.add_argument(
        "--transfer-seconds",
        type=how_many,
        metavar="SECONDS",
        default=900,
        help="for which a transfer URL is good (default: 900)",
    )
    exposure_options(serve)
    serve.set_defaults(run=_serve)
    migrate = commands.add_parser("migrate", parents=[place], help="bring the database to the schema of this program, and end")
    migrate.set_defaults(run=_migrate)


def _serve(options: argparse.Namespace) -> None:
    settings = replace(
        exposed(settings_of(options), options),
        host=options.host,
        port=options.port,
        session_seconds=options.session_seconds,
        transfer_seconds=options.transfer_seconds,
        workers=options.workers,
    )
    if settings.workers != 1 and not settings.database:
        raise WrongUse(
            f"the embedded database serves one process, not {options.workers}",
            "Leave --workers at 1 (one process uses all cores), or give a --database.",
        )
    from lepton_server.serving import serve

    serve(settings)


def _migrate(options: argparse.Namespace) -> None:
    from lepton_server.places import open_database
    from lepton_server.tables import SCHEMA_VERSION

    open_database(existing(options)).close()
    print(f"schema version {SCHEMA_VERSION}")
