"""`lepton-server repack`, and what else keeps the store small and whole."""

from __future__ import annotations

import argparse

from lepton_server.commands.place import existing
from lepton_server.commands.values import duration

Commands = argparse._SubParsersAction


def add(commands: Commands[argparse.ArgumentParser], place: argparse.ArgumentParser) -> None:
    text = "drop what nothing needs, shorten chains of deltas, merge small packs; also while the folder is served"
    repack = commands.add_parser("repack", parents=[place], help=text)
    repack.add_argument("--repository", metavar="OWNER/REPO", help="only the packs of this one")
    repack.add_argument(
        "--grace", type=duration, metavar="TIME", default=86_400.0, help="how long what is no longer of use stays (default: 24h)"
    )
    repack.add_argument("--dry-run", action="store_true", help="say what would be done, change nothing")
    repack.add_argument("--json", action="store_true", help="print one JSON object")
    repack.set_defaults(run=_repack)


def _repack(options: argparse.Namespace) -> None:
    from lepton_server.administration import repack
    from lepton_server.care.report import as_json, as_text, check

    done = repack(existing(options), options.repository, options.grace, dry_run=options.dry_run)
    print(as_json(done, options.dry_run) if options.json else as_text(done, options.dry_run))
    check(done)
