"""`git lepton hooks install|uninstall`."""

from __future__ import annotations

from collections.abc import Sequence

from git_lepton.entry.arguments import parser
from git_lepton.entry.terminal import say
from git_lepton.git.repository import GitRepository
from git_lepton.workflow.setup.commit_hook import install_gates, remove_gates


def main(arguments: Sequence[str]) -> int:
    """Look at staged files before a commit and judge models before a push, without pre-commit."""
    command = parser(
        "hooks", "Check what is staged before a commit, and judge models before a push. For pre-commit: docs/evaluation.md."
    )
    command.add_argument("what", choices=("install", "uninstall"))
    options = command.parse_args(arguments)
    git = GitRepository()
    for sentence in install_gates(git) if options.what == "install" else remove_gates(git):
        say(sentence)
    return 0
