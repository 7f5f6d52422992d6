"""`git lepton lock PATH...`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from git_lepton.entry.arguments import add_json, parser, print_json
from git_lepton.entry.terminal import say
from git_lepton.workflow.collaboration.locks import ADVICE, is_tracked, lock
from git_lepton.workspace import open_workspace


def main(arguments: Sequence[str]) -> int:
    """Keep paths for oneself: other people's pushes that change them are refused."""
    command = parser("lock", "Keep paths for yourself: pushes of other people that change them are refused until you unlock.")
    command.add_argument("paths", nargs="+", metavar="PATH", help="a file, or a folder for all that is in it")
    command.add_argument("--remote", metavar="NAME", help="the repository of this remote (default: where a push goes)")
    add_json(command)
    options = command.parse_args(arguments)
    done = []
    with open_workspace() as workspace:
        for found in lock(workspace, options.paths, options.remote):
            done.append(asdict(found))
            if not options.json:
                note = "" if is_tracked(workspace, found.path) else "; git tracks no such file yet"
                say(f"{found.path} is locked by you{note}{'' if found.enforced else ADVICE}")
    if options.json:
        print_json(done)
    return 0
