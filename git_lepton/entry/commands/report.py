"""`git lepton report [BASE..HEAD]`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from git_lepton.entry.arguments import parser, print_json
from git_lepton.entry.evaluation_lines import verdict_json
from git_lepton.entry.report_markdown import markdown
from git_lepton.workflow.evaluation.baselines import range_of
from git_lepton.workflow.evaluation.judging import Bench
from git_lepton.workflow.evaluation.report import report_of
from git_lepton.workspace import open_workspace

_MOST = {"markdown": 1_000_000, "github": 65_000, "gitlab": 950_000}  # characters that a comment may have there, less a little


def main(arguments: Sequence[str]) -> int:
    """Show what a range changes in models: verdicts, metrics, sizes, tensors; by the evidence there is."""
    command = parser("report", "Show what a range of commits changes in models, for people who review it. Nothing is run.")
    command.add_argument("range", nargs="?", default="HEAD", metavar="BASE..HEAD", help="the versions to compare (default: HEAD)")
    command.add_argument(
        "--format", choices=[*_MOST, "json"], default="markdown", help="github and gitlab: as long as a comment may be"
    )
    options = command.parse_args(arguments)
    with open_workspace() as workspace:
        base, head = range_of(workspace.git, options.range)
        found = report_of(Bench(workspace), base, head)
    if options.format == "json":
        print_json(
            {
                "outcome": found.outcome.value,
                "base": found.base,
                "head": found.head,
                "false_refusals_percent": round(found.chance, 1),
                "models": [
                    {
                        **{key: value for key, value in model._asdict().items() if key not in ("verdicts", "metrics", "tensors")},
                        "gates": [verdict_json(verdict) for verdict in model.verdicts],
                        "metrics": [change._asdict() for change in model.metrics],
                        "tensors": model.tensors._asdict() if model.tensors else None,
                    }
                    for model in found.models
                ],
            }
        )
    else:
        sys.stdout.write(markdown(found, _MOST[options.format]))
    return 0
