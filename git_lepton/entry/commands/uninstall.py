"""`git lepton uninstall [--local]`."""

from __future__ import annotations

from collections.abc import Sequence

from git_lepton.entry.arguments import parser
from git_lepton.entry.terminal import say
from git_lepton.git.repository import GitRepository
from git_lepton.workflow.setup.install import uninstall


def main(arguments: Sequence[str]) -> int:
    """Remove what install wrote. Tracked files and stored weights stay."""
    command = parser("uninstall", "Remove what install wrote. Tracked files and stored weights stay.")
    command.add_argument("--local", action="store_true", help="for this repository only")
    options = command.parse_args(arguments)
    for sentence in uninstall(GitRepository(), "local" if options.local else "global"):
        say(sentence)
    return 0
