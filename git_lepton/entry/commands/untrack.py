"""`git lepton untrack PATTERN...`."""

from __future__ import annotations

from collections.abc import Sequence

from git_lepton.entry.arguments import add_json, parser, print_json
from git_lepton.entry.terminal import say
from git_lepton.git.repository import GitRepository
from git_lepton.workflow.setup.track import untrack
from git_lepton.workflow.setup.track_patterns import spellings


def main(arguments: Sequence[str]) -> int:
    """Keep files that match the patterns as ordinary files again, from their next `git add` on."""
    command = parser("untrack", "Keep files that match a pattern as ordinary files again, from their next `git add` on.")
    command.add_argument("patterns", nargs="+", metavar="PATTERN", help="as `git lepton track` lists it")
    add_json(command)
    options = command.parse_args(arguments)
    git = GitRepository()
    folder = git.folder_of_user()
    meant = {pattern: spellings(git.work_tree(), folder, pattern) for pattern in options.patterns}
    gone = untrack(git, folder, options.patterns)
    if options.json:
        print_json(gone)
        return 0
    for pattern, names in meant.items():
        say(f"{pattern}: no longer tracked" if set(names) & set(gone) else f"{pattern}: was not tracked")
    if gone:
        say("files that are tracked already become ordinary ones by: git add --renormalize .")
    return 0
