"""`git lepton repo list|show|create|rename|transfer|visibility|fork|default-branch|delete|undelete`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from git_lepton.entry.arguments import BadArguments
from git_lepton.entry.moments import moment
from git_lepton.entry.server_commands import Subject, line, nothing
from git_lepton.entry.terminal import say
from git_lepton.transfer.http.refusals import NotFound
from git_lepton.wire.messages import NewRepository, RepositoryInfo
from git_lepton.wire.people import DeletedRepository, Place

if TYPE_CHECKING:
    import argparse

    from git_lepton.workflow.collaboration.administration import Opened

_VISIBILITIES = ("private", "internal", "public")


def main(arguments: Sequence[str]) -> int:
    """Repositories of a server: which there are, making, moving, deleting them."""
    subject = Subject("repo", "Repositories of a server: which there are, making, moving and deleting them.")
    listing = subject.add("list", "list the repositories that you may read", _list, _show_list)
    listing.add_argument("--deleted", action="store_true", help="those that you owned and can bring back, with their numbers")
    subject.add("show", "say what a repository is, and your role in it", _get, _show)
    make = subject.add("create", "create a repository", _create, nothing)
    make.add_argument("--external", action="store_true", help="its git history is hosted elsewhere")
    make.add_argument("--visibility", choices=_VISIBILITIES, default="private", help="(default: private)")
    subject.add("rename", "rename a repository; the old name leads to it", _move, _told)
    subject.add("transfer", "give a repository to another owner; the old name leads to it", _move, _told)
    subject.add(
        "visibility",
        "set who may see a repository",
        lambda opened, o: opened.server.set_visibility(o.repository, o.visibility),
        nothing,
    )
    subject.add("fork", "make a repository that holds the same history and weights", _fork, _told)
    text = "print the branch that a clone checks out, or set it"
    subject.add("default-branch", text, _default_branch, lambda found: line(found.default_branch or ""))
    subject.add("delete", "hide a repository at once; undelete can bring it back for a while", _delete, nothing)
    back = subject.add("undelete", "bring a deleted repository back, with all that it had", _undelete, _told)
    back.add_argument("--as", dest="new", default="", metavar="NAME", help="under another name, if its own is taken by now")
    for name, command in subject.commands.items():
        if name != "list":
            command.add_argument("repository", metavar="OWNER/REPO|NUMBER" if name == "undelete" else "OWNER/REPO")
    subject.commands["rename"].add_argument("name", metavar="NAME")
    subject.commands["transfer"].add_argument("owner", metavar="OWNER")
    subject.commands["visibility"].add_argument("visibility", choices=_VISIBILITIES)
    subject.commands["fork"].add_argument("to", metavar="OWNER/REPO")
    subject.commands["default-branch"].add_argument("branch", nargs="?", metavar="BRANCH")
    return subject.run(arguments)


def _list(opened: Opened, options: argparse.Namespace) -> list[RepositoryInfo] | list[DeletedRepository]:
    return opened.server.deleted() if options.deleted else opened.server.repositories()


def _get(opened: Opened, options: argparse.Namespace) -> RepositoryInfo:
    return opened.server.repository(options.repository)


def _create(opened: Opened, options: argparse.Namespace) -> RepositoryInfo:
    kind = "external" if options.external else "hosted"
    was_there = _is_there(opened, options.repository)
    found = opened.server.create(options.repository, NewRepository(kind, options.visibility))
    if not options.json:
        there = f"there is a repository {found.name} already" if was_there else f"made the repository {found.name}"
        say(f"{there} ({found.kind}, {found.visibility})")
    return found


def _is_there(opened: Opened, repository: str) -> bool:
    """Whether one is called so now: an old name of another is free."""
    try:
        return opened.server.repository(repository).name.lower() == repository.lower()
    except NotFound:
        return False


def _move(opened: Opened, options: argparse.Namespace) -> RepositoryInfo:
    return opened.server.move(options.repository, Place(getattr(options, "owner", ""), getattr(options, "name", "")))


def _fork(opened: Opened, options: argparse.Namespace) -> RepositoryInfo:
    owner, slash, name = options.to.partition("/")
    if not slash:
        raise BadArguments(f"{options.to!r} is not OWNER/REPO", "git lepton repo fork team/models ada/models")
    return opened.server.fork(options.repository, Place(owner, name))


def _default_branch(opened: Opened, options: argparse.Namespace) -> RepositoryInfo:
    if options.branch is None:
        return _get(opened, options)
    return opened.server.set_default_branch(options.repository, options.branch)


def _delete(opened: Opened, options: argparse.Namespace) -> None:
    name = opened.server.repository(options.repository).name
    if name.lower() != options.repository.lower():
        raise BadArguments(f"{options.repository} is called {name} now", f"If you mean that one: git lepton repo delete {name}")
    opened.server.delete(options.repository)
    say(f"for a while this brings it back: git lepton repo undelete {options.repository}")


def _undelete(opened: Opened, options: argparse.Namespace) -> RepositoryInfo:
    named = options.repository.lower()
    for one in opened.server.deleted():  # the last one first
        if named in (one.name.lower(), str(one.id)):
            return opened.server.undelete(one.id, options.new)
    raise BadArguments(f"there is no deleted repository {options.repository}", "git lepton repo list --deleted lists yours.")


def _show_list(found: list[RepositoryInfo] | list[DeletedRepository]) -> None:
    for one in found:
        if isinstance(one, DeletedRepository):
            line(str(one.id), one.name, f"deleted {moment(one.deleted)}")
        else:
            line(f"{one.name:<40}", one.kind, one.visibility, one.role)


def _show(found: RepositoryInfo) -> None:
    branch = f"default branch {found.default_branch}" if found.default_branch else ""
    line(found.name, found.kind, found.visibility, f"you are its {found.role}", branch)


def _told(found: RepositoryInfo) -> None:
    say(f"it is {found.name} now")
