"""`git lepton unlock PATH... [--force]`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from git_lepton.entry.arguments import add_json, parser, print_json
from git_lepton.entry.terminal import say
from git_lepton.workflow.collaboration.locks import unlock
from git_lepton.workspace import open_workspace


def main(arguments: Sequence[str]) -> int:
    """Let others change paths again."""
    command = parser("unlock", "Let others change paths again that you have locked.")
    command.add_argument("paths", nargs="+", metavar="PATH", help="as it was locked")
    command.add_argument(
        "--force", action="store_true", help="also what somebody else has locked, if you maintain the repository"
    )
    command.add_argument("--remote", metavar="NAME", help="the repository of this remote (default: where a push goes)")
    add_json(command)
    options = command.parse_args(arguments)
    done = []
    with open_workspace() as workspace:
        for found in unlock(workspace, options.paths, options.remote, force=options.force):
            done.append(asdict(found))
            if not options.json:
                say(f"{found.path} is no longer locked" + ("" if found.own else f"; it was by {found.owner}"))
    if options.json:
        print_json(done)
    return 0
