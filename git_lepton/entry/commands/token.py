"""`git lepton token create|list|revoke|rotate`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from git_lepton.entry.arguments import whole_number
from git_lepton.entry.moments import duration, moment
from git_lepton.entry.server_commands import Subject, line, nothing
from git_lepton.entry.terminal import show
from git_lepton.wire.people import MadeToken, NewToken, TokenInfo

if TYPE_CHECKING:
    import argparse

    from git_lepton.workflow.collaboration.administration import Opened


def main(arguments: Sequence[str]) -> int:
    """Tokens of one's own account on a server; as its admin those of robots."""
    subject = Subject("token", "Tokens of your account on a server. Each is shown once, when it is made.")
    make = subject.add("create", "print a new token, and nothing else", _create, _print_token)
    make.add_argument("--label", default="", metavar="TEXT", help="what it is for")
    make.add_argument("--days", type=float, metavar="DAYS", help="how long it lasts (default: as long as the one that asks)")
    text = "what it may be used for, joined by commas: read, write, evidence, admin (default: read,write)"
    make.add_argument("--scopes", default="read,write", metavar="SCOPES", help=text)
    make.add_argument("--repository", action="append", metavar="OWNER/REPO", help="where alone it may be used; several times")
    make.add_argument("--robot", default="", metavar="NAME", help="for this robot's account, as an admin")
    subject.add("list", "list your tokens, without their secrets", lambda opened, _: opened.server.tokens(), _list)
    revoke = subject.add("revoke", "end a token", _revoke, nothing)
    revoke.add_argument("id", type=whole_number, metavar="NUMBER", help="as `token list` says")
    rotate = subject.add("rotate", "print a new secret with the rights of a token, which ends soon", _rotate, _print_token)
    rotate.add_argument("id", type=whole_number, metavar="NUMBER", help="as `token list` says")
    text = "for which the old one is good too (default: 10m)"
    rotate.add_argument("--overlap", type=duration, default=duration("10m"), metavar="TIME", help=text)
    return subject.run(arguments)


def _create(opened: Opened, options: argparse.Namespace) -> MadeToken:
    scopes = [scope.strip() for scope in options.scopes.split(",") if scope.strip()]
    return opened.server.make_token(NewToken(options.label, scopes, options.repository, options.days, options.robot))


def _revoke(opened: Opened, options: argparse.Namespace) -> None:
    opened.server.revoke_token(options.id)


def _rotate(opened: Opened, options: argparse.Namespace) -> MadeToken:
    return opened.server.rotate_token(options.id, int(options.overlap))


def _print_token(made: MadeToken) -> None:
    show(f"{made.token}")


def _list(found: list[TokenInfo]) -> None:
    for token in found:
        where = "all repositories" if token.repositories is None else " ".join(token.repositories)
        ends = f"ends {moment(token.expires)}" if token.expires else "never ends"
        used = f"used {moment(token.last_used)}" if token.last_used else "never used"
        line(str(token.id), token.label, ",".join(token.scopes), where, ends, used)
