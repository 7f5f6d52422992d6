"""`lepton-server serve` and `lepton-server migrate`."""

from __future__ import annotations

import argparse
from dataclasses import replace

from git_lepton.errors import WrongUse
from lepton_server.commands.argument_types import at_least_one, how_many, port_number
from lepton_server.commands.data_options import existing, settings_of
from lepton_server.commands.messages import show
from lepton_server.commands.serve_options import exposed, exposure_options
from lepton_server.observability.logs import configure

Commands = argparse._SubParsersAction


def add(commands: Commands[argparse.ArgumentParser], place: argparse.ArgumentParser) -> None:
    serve = commands.add_parser("serve", parents=[place], help="serve a folder")
    serve.add_argument("--host", default="127.0.0.1", help="where to listen (default: this machine only)")
    serve.add_argument(
        "--port", type=port_number, metavar="PORT", default=8417, help="the port; 0 takes a free one (default: 8417)"
    )
    serve.add_argument(
        "--workers", type=at_least_one, default=1, metavar="COUNT", help="how many processes; with SQLite only one"
    )
    serve.add_argument(
        "--session-seconds",
        type=how_many,
        metavar="SECONDS",
        default=3600,
        help="how long an unused upload stays open (default: 3600)",
    )
    serve.add_argument(
        "--transfer-seconds",
        type=how_many,
        metavar="SECONDS",
        default=900,
        help="how long a transfer URL is good (default: 900)",
    )
    exposure_options(serve)
    serve.set_defaults(run=_serve)
    migrate = commands.add_parser("migrate", parents=[place], help="update the database to the schema of this program, and exit")
    migrate.set_defaults(run=_migrate)


def _serve(options: argparse.Namespace) -> None:
    configure(options.log_format, options.log_level)  # first: also what is wrong with the rest is said in that form
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
    from lepton_server.process.serve import serve

    serve(settings)


def _migrate(options: argparse.Namespace) -> None:
    from lepton_server.backends import open_database
    from lepton_server.database.tables import SCHEMA_VERSION

    open_database(existing(options)).close()
    show(f"schema version {SCHEMA_VERSION}")
