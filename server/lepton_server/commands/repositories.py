"""`lepton-server repo`."""

from __future__ import annotations

import argparse

from lepton_server.commands.place import existing
from lepton_server.commands.values import codec_ids

Commands = argparse._SubParsersAction


def add(commands: Commands[argparse.ArgumentParser], place: argparse.ArgumentParser) -> None:
    repo = commands.add_parser("repo", help="repositories").add_subparsers(required=True, metavar="COMMAND")
    make = repo.add_parser("create", parents=[place], help="make a repository")
    make.add_argument("repository", metavar="OWNER/REPO")
    make.add_argument("--external", action="store_true", help="its git history is hosted elsewhere")
    make.set_defaults(run=_create)
    codecs = repo.add_parser("codecs", parents=[place], help="print the codecs that a repository allows, or allow more")
    codecs.add_argument("repository", metavar="OWNER/REPO")
    codecs.add_argument("--allow", type=codec_ids, metavar="IDS", help="joined by commas; clients that lack one must upgrade")
    codecs.set_defaults(run=_codecs)


def _create(options: argparse.Namespace) -> None:
    from lepton_server.administration import create_repository

    create_repository(existing(options), options.repository, "external" if options.external else "hosted")


def _codecs(options: argparse.Namespace) -> None:
    from lepton_server.administration import codecs

    print(",".join(map(str, codecs(existing(options), options.repository, options.allow))))
