"""`git lepton install [--local] [--no-hooks]`."""

from __future__ import annotations

from collections.abc import Sequence

from git_lepton.entry.arguments import parser
from git_lepton.entry.terminal import say
from git_lepton.git.repository import GitRepository
from git_lepton.workflow.setup.install import install


def main(arguments: Sequence[str]) -> int:
    """Set up filters and hooks; doing it again changes nothing."""
    command = parser(
        "install", "Set up the filter for your account and, in a repository, the pre-push hook. Existing hooks are kept."
    )
    command.add_argument("--local", action="store_true", help="for this repository only")
    command.add_argument("--no-hooks", action="store_true", help="leave the repository's hooks alone")
    options = command.parse_args(arguments)
    for sentence in install(GitRepository(), "local" if options.local else "global", hooks=not options.no_hooks):
        say(sentence)
    return 0
