"""`git lepton doctor`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from git_lepton.entry.arguments import add_json, parser, print_json
from git_lepton.entry.terminal import show
from git_lepton.errors import CheckFailed
from git_lepton.git.repository import GitRepository
from git_lepton.workflow.setup.doctor import examine
from git_lepton.workspace import Workspace


def main(arguments: Sequence[str]) -> int:
    """Find out what is wrong with the set-up and say what to do. Exit code 1 if anything is."""
    command = parser("doctor", "Find out what is wrong with the set-up, and say what to do. Exit code 1 if anything is.")
    add_json(command)
    options = command.parse_args(arguments)
    with Workspace(GitRepository()) as workspace:
        findings = list(examine(workspace))
    if options.json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            show(f"{'ok  ' if finding.ok else 'BAD '} {finding.subject}: {finding.message}")
            if not finding.ok and finding.fix:
                show(f"     {finding.fix}")
    return 0 if all(finding.ok for finding in findings) else CheckFailed.exit_code
