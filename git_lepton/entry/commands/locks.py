"""`git lepton locks`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from git_lepton.entry.arguments import add_json, parser, print_json
from git_lepton.entry.moments import moment
from git_lepton.entry.terminal import say, show
from git_lepton.workflow.collaboration.locks import locks
from git_lepton.workspace import open_workspace


def main(arguments: Sequence[str]) -> int:
    """List what is locked, by whom, since when."""
    command = parser("locks", "List the locked paths of the repository, by whom and since when.")
    command.add_argument("--remote", metavar="NAME", help="the repository of this remote (default: where a push goes)")
    add_json(command)
    options = command.parse_args(arguments)
    with open_workspace() as workspace:
        found = locks(workspace, options.remote)
    if options.json:
        print_json([asdict(lock) for lock in found])
    else:
        width = max((len(lock.path) for lock in found), default=0)
        if any(not lock.enforced for lock in found):
            say("git is hosted elsewhere, so these are advice: no push is refused")
        for lock in found:
            show(f"{lock.path:<{width}}  {'you' if lock.own else lock.owner}  since {moment(lock.at)}")
    return 0
