"""`lepton-server repo`."""

from __future__ import annotations

import argparse
import sys

from lepton_server.commands.place import existing
from lepton_server.commands.values import codec_ids

Commands = argparse._SubParsersAction
_VISIBILITIES = ("private", "internal", "public")


def add(commands: Commands[argparse.ArgumentParser], place: argparse.ArgumentParser) -> None:
    repo = commands.add_parser("repo", help="repositories").add_subparsers(required=True, metavar="COMMAND")
    make = repo.add_parser("create", parents=[place], help="make a repository")
    make.add_argument("repository", metavar="OWNER/REPO")
    make.add_argument("--external", action="store_true", help="its git history is hosted elsewhere")
    make.add_argument("--visibility", choices=_VISIBILITIES, default="private", help="(default: private)")
    make.set_defaults(run=_create)
    shown = repo.add_parser("list", parents=[place], help="print all repositories")
    shown.set_defaults(run=_list)
    rename = repo.add_parser("rename", parents=[place], help="call it otherwise; the old name leads to it")
    transfer = repo.add_parser("transfer", parents=[place], help="give it to another owner; the old name leads to it")
    for parser, metavar in ((rename, "NAME"), (transfer, "OWNER")):
        parser.add_argument("repository", metavar="OWNER/REPO")
        parser.add_argument("to", metavar=metavar)
    rename.set_defaults(run=_rename)
    transfer.set_defaults(run=_transfer)
    visibility = repo.add_parser("visibility", parents=[place], help="say who may see it")
    visibility.add_argument("repository", metavar="OWNER/REPO")
    visibility.add_argument("visibility", choices=_VISIBILITIES)
    visibility.set_defaults(run=_visibility)
    fork = repo.add_parser("fork", parents=[place], help="make another one that holds the same, by links")
    fork.add_argument("repository", metavar="OWNER/REPO")
    fork.add_argument("to", metavar="OWNER/REPO")
    fork.set_defaults(run=_fork)
    codecs = repo.add_parser("codecs", parents=[place], help="print the codecs that a repository allows, or allow more")
    codecs.add_argument("repository", metavar="OWNER/REPO")
    codecs.add_argument("--allow", type=codec_ids, metavar="IDS", help="joined by commas; clients that lack one must upgrade")
    codecs.set_defaults(run=_codecs)


def _create(options: argparse.Namespace) -> None:
    from lepton_server.administration import create_repository

    kind = "external" if options.external else "hosted"
    _say(create_repository(existing(options), options.repository, kind, options.visibility))


def _list(options: argparse.Namespace) -> None:
    from lepton_server import repositories
    from lepton_server.administration import opened

    with opened(existing(options)) as database, database.read() as connection:
        for repository in repositories.all_of_server(connection):
            print(f"{repository.full_name}\t{repository.kind}\t{repository.visibility}")


def _rename(options: argparse.Namespace) -> None:
    from lepton_server.administration import move

    _say(move(existing(options), options.repository, name=options.to))


def _transfer(options: argparse.Namespace) -> None:
    from lepton_server.administration import move

    _say(move(existing(options), options.repository, owner=options.to))


def _visibility(options: argparse.Namespace) -> None:
    from lepton_server import moving
    from lepton_server.accounts import operator
    from lepton_server.administration import changes, known_repository

    with changes(existing(options)) as connection:
        found = known_repository(connection, options.repository)
        moving.set_visibility(connection, operator(found.tenant), found, options.visibility)


def _fork(options: argparse.Namespace) -> None:
    from lepton_server.administration import fork

    _say(fork(existing(options), options.repository, options.to))


def _codecs(options: argparse.Namespace) -> None:
    from lepton_server.administration import codecs

    print(",".join(map(str, codecs(existing(options), options.repository, options.allow))))


def _say(sentences: list[str]) -> None:
    for sentence in sentences:
        print(f"lepton-server: {sentence}", file=sys.stderr)
