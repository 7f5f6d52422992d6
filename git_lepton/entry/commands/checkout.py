"""`git lepton checkout [PATH...] [--force]`."""

from __future__ import annotations

from collections.abc import Sequence

from git_lepton.entry.arguments import add_json, parser
from git_lepton.entry.materialised import report
from git_lepton.entry.terminal import progress, say
from git_lepton.git.configuration import is_configured
from git_lepton.workflow.checkout.checkout import checkout
from git_lepton.workflow.setup.install import ensure_installed
from git_lepton.workspace import open_workspace


def main(arguments: Sequence[str]) -> int:
    """Write the files whose weights are on this machine over their pointers; other files only with --force."""
    command = parser(
        "checkout", "Write files over their pointers, from weights that are on this machine. Never over other content."
    )
    command.add_argument("paths", nargs="*", metavar="PATH")
    command.add_argument("--force", "-f", action="store_true", help="also over changed files, and where files were deleted")
    add_json(command)
    options = command.parse_args(arguments)
    with open_workspace() as workspace:
        if not is_configured(workspace.git):  # as in pull
            for sentence in ensure_installed(workspace.git):
                say(sentence)
        done = checkout(workspace, options.paths, progress, force=options.force)
        return report(workspace.git, done, as_json=options.json)
