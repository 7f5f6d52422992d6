"""`lepton-server repo`."""

from __future__ import annotations

import argparse

from git_lepton.errors import WrongUse
from lepton_server.commands.argument_types import codec_ids
from lepton_server.commands.data_options import existing
from lepton_server.commands.messages import moment, say_all, show

Commands = argparse._SubParsersAction
_VISIBILITIES = ("private", "internal", "public")


def add(commands: Commands[argparse.ArgumentParser], place: argparse.ArgumentParser) -> None:
    repo = commands.add_parser("repo", help="repositories").add_subparsers(required=True, metavar="COMMAND")
    make = repo.add_parser("create", parents=[place], help="create a repository")
    make.add_argument("repository", metavar="OWNER/REPO")
    make.add_argument("--external", action="store_true", help="its git history is hosted elsewhere")
    make.add_argument("--visibility", choices=_VISIBILITIES, default="private", help="(default: private)")
    make.set_defaults(run=_create)
    shown = repo.add_parser("list", parents=[place], help="print all repositories")
    shown.add_argument(
        "--deleted", action="store_true", help="those that were deleted and can be brought back, with their numbers"
    )
    shown.set_defaults(run=_list)
    remove = repo.add_parser("delete", parents=[place], help="hide a repository at once; gc finally removes it later")
    remove.add_argument("repository", metavar="OWNER/REPO")
    remove.set_defaults(run=_delete)
    back = repo.add_parser("undelete", parents=[place], help="bring a deleted repository back, with all that it had")
    back.add_argument("repository", metavar="OWNER/REPO|NUMBER")
    back.add_argument("--as", dest="name", default="", metavar="NAME", help="under another name, if its own is taken by now")
    back.set_defaults(run=_undelete)
    branch = repo.add_parser("default-branch", parents=[place], help="print the branch that a clone checks out, or set it")
    branch.add_argument("repository", metavar="OWNER/REPO")
    branch.add_argument("branch", nargs="?", metavar="BRANCH")
    branch.set_defaults(run=_default_branch)
    rename = repo.add_parser("rename", parents=[place], help="rename a repository; the old name leads to it")
    transfer = repo.add_parser("transfer", parents=[place], help="give a repository to another owner; the old name leads to it")
    for parser, metavar in ((rename, "NAME"), (transfer, "OWNER")):
        parser.add_argument("repository", metavar="OWNER/REPO")
        parser.add_argument("to", metavar=metavar)
    rename.set_defaults(run=_rename)
    transfer.set_defaults(run=_transfer)
    visibility = repo.add_parser("visibility", parents=[place], help="set who may see a repository")
    visibility.add_argument("repository", metavar="OWNER/REPO")
    visibility.add_argument("visibility", choices=_VISIBILITIES)
    visibility.set_defaults(run=_visibility)
    bases = repo.add_parser(
        "bases", parents=[place], help="print whose weights a repository holds only because they are bases of its own"
    )
    bases.add_argument("repository", metavar="OWNER/REPO")
    bases.set_defaults(run=_bases)
    fork = repo.add_parser("fork", parents=[place], help="make a repository that holds the same history and weights, by links")
    fork.add_argument("repository", metavar="OWNER/REPO")
    fork.add_argument("to", metavar="OWNER/REPO")
    fork.set_defaults(run=_fork)
    codecs = repo.add_parser("codecs", parents=[place], help="print the codecs that a repository allows, or allow more")
    codecs.add_argument("repository", metavar="OWNER/REPO")
    codecs.add_argument(
        "--allow", type=codec_ids, metavar="IDS", help="codec ids, joined by commas; clients that lack one must upgrade"
    )
    codecs.set_defaults(run=_codecs)


def _create(options: argparse.Namespace) -> None:
    from lepton_server.admin.provisioning import create_repository

    kind = "external" if options.external else "hosted"
    say_all(create_repository(existing(options), options.repository, kind, options.visibility))


def _list(options: argparse.Namespace) -> None:
    from lepton_server.backends import opened
    from lepton_server.repositories import registry

    with opened(existing(options)) as database, database.read() as connection:
        if options.deleted:
            for repository in registry.deleted(connection):
                show(f"{repository.id}\t{repository.full_name}\tdeleted {moment(repository.deleted or 0)}")
            return
        for repository in registry.all_of_server(connection):
            show(f"{repository.full_name}\t{repository.kind}\t{repository.visibility}")


def _delete(options: argparse.Namespace) -> None:
    from lepton_server.backends import changes
    from lepton_server.identity.accounts import operator
    from lepton_server.repositories.deletion import delete_repository
    from lepton_server.repositories.naming import known_repository

    with changes(existing(options)) as connection:
        found = known_repository(connection, options.repository)
        if found.full_name.lower() != options.repository.lower():
            raise WrongUse(f"{options.repository} is called {found.full_name} now", "Name it so, if you mean that one.")
        delete_repository(connection, operator(found.tenant), found)
    say_all([f"until gc makes it gone: lepton-server repo undelete {found.full_name}"])


def _undelete(options: argparse.Namespace) -> None:
    from lepton_server.backends import changes
    from lepton_server.identity.accounts import operator
    from lepton_server.repositories import registry
    from lepton_server.repositories.deletion import undelete_repository

    with changes(existing(options)) as connection:
        named = options.repository.lower()
        found = [one for one in registry.deleted(connection) if named in (one.full_name.lower(), str(one.id))]
        if not found:
            raise WrongUse(f"there is no deleted repository {options.repository!r}", "See: lepton-server repo list --deleted")
        back = undelete_repository(connection, operator(found[0].tenant), found[0], options.name)
    say_all([f"{back.full_name} is back", *(f"{one.full_name} with the number {one.id} is deleted still" for one in found[1:])])


def _default_branch(options: argparse.Namespace) -> None:
    from lepton_server.backends import opened
    from lepton_server.git.default_branch import set_default_branch
    from lepton_server.identity.accounts import operator
    from lepton_server.repositories.naming import known_repository

    settings = existing(options)
    with opened(settings) as database:
        with database.read() as connection:
            found = known_repository(connection, options.repository)
        if options.branch is not None:
            set_default_branch(database, settings, operator(found.tenant), found, options.branch)
    show(options.branch or found.default_branch or "")


def _rename(options: argparse.Namespace) -> None:
    from lepton_server.admin.provisioning import move

    say_all(move(existing(options), options.repository, name=options.to))


def _transfer(options: argparse.Namespace) -> None:
    from lepton_server.admin.provisioning import move

    say_all(move(existing(options), options.repository, owner=options.to))


def _visibility(options: argparse.Namespace) -> None:
    from lepton_server.backends import changes
    from lepton_server.content import borrowed_bases
    from lepton_server.identity.accounts import operator
    from lepton_server.repositories import renaming
    from lepton_server.repositories.naming import known_repository

    with changes(existing(options)) as connection:
        found = known_repository(connection, options.repository)
        renaming.set_visibility(connection, operator(found.tenant), found, options.visibility)
        say_all(borrowed_bases.shown_to_more(connection, found))


def _bases(options: argparse.Namespace) -> None:
    from lepton_server.backends import opened
    from lepton_server.content import borrowed_bases
    from lepton_server.repositories.naming import known_repository

    with opened(existing(options)) as database, database.read() as connection:
        for base in borrowed_bases.borrowed(connection, known_repository(connection, options.repository)):
            words = ["allowed" if base.allowed else "open", "narrower" if base.narrower else "as readable"]
            show("\t".join([borrowed_bases.amount(base), *words]))


def _fork(options: argparse.Namespace) -> None:
    from lepton_server.admin.provisioning import fork

    say_all(fork(existing(options), options.repository, options.to))


def _codecs(options: argparse.Namespace) -> None:
    from lepton_server.admin.provisioning import codecs

    show(",".join(map(str, codecs(existing(options), options.repository, options.allow))))
