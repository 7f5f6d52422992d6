"""`git lepton fsck [--remote [NAME]] [--all] [--pointers]`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from git_lepton.entry.arguments import add_json, parser, print_json
from git_lepton.entry.terminal import counted, show
from git_lepton.workflow.upkeep.verify import Kind, Report, check
from git_lepton.workspace import open_workspace

_HERE = "on this machine"
_BRING = "`git lepton fetch` brings what HEAD needs, with --all what any version needs."


def main(arguments: Sequence[str]) -> int:
    """Check that versions can be restored. Exit code 7 for corrupt data, else 4 for missing weights, else 1 for anything else."""
    command = parser(
        "fsck",
        "Check that versions can be restored: pointers sound, weights complete, none in git itself. Without --remote all that is "
        "stored here is read and verified.",
    )
    command.add_argument("--remote", nargs="?", const="", metavar="NAME", help="ask the store whether it has every object")
    command.add_argument("--all", action="store_true", help="every commit of every ref, not only HEAD's files")
    command.add_argument("--pointers", action="store_true", help="look at pointers only, not at weights")
    add_json(command)
    options = command.parse_args(arguments)
    with open_workspace() as workspace:
        report = check(workspace, all_refs=options.all, remote=options.remote, pointers_only=options.pointers)
    if options.json:
        print_json(asdict(report))
    else:
        where = "in the store" if options.remote is not None else _HERE
        send = (
            " ".join(["`git lepton push --all", *filter(None, [options.remote])]) + "` sends them, from a machine that has them."
        )
        show(*_lines(report, where, send, pointers_only=options.pointers))
    return report.exit_code


def _lines(report: Report, where: str, send: str, *, pointers_only: bool) -> list[str]:
    lines = [f"{finding.kind}: {finding.subject}: {finding.message}" for finding in report.findings]
    lines += [f"not looked at: {what}" for what in report.unseen]
    if pointers_only:
        return [*lines, f"{counted(report.objects, 'pointer')}, {counted(len(report.findings), 'problem')}"]
    lines.append(f"{report.restorable} of {counted(report.objects, 'object')} can be restored from what is {where}")
    if report.left_out:
        lines.append(f"{counted(report.left_out, 'object')} left out by sparse checkout; --all asks for them too")
    if sum(finding.kind is Kind.MISSING for finding in report.findings) > report.purged:
        lines.append(f"hint: {_BRING if where == _HERE else send}")
    elif any(finding.kind is Kind.CORRUPT for finding in report.findings):
        lines.append("hint: `git lepton prune` clears damaged packs away of which nothing is needed any more.")
    return lines
