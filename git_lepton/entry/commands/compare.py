"""`git lepton compare A B [C ...]`."""

from __future__ import annotations

from collections.abc import Sequence

from git_lepton.entry.arguments import add_json, parser, print_json
from git_lepton.entry.terminal import say, show
from git_lepton.evidence.wording import amount
from git_lepton.models.tree import revision_tree
from git_lepton.workflow.evaluation.comparison import side_by_side
from git_lepton.workflow.evaluation.judging import Bench
from git_lepton.workspace import open_workspace


def main(arguments: Sequence[str]) -> int:
    """Print the metrics of versions side by side."""
    command = parser("compare", "Show the metrics of versions side by side, by the evidence there is.")
    command.add_argument("revisions", nargs="+", metavar="REV", help="the versions")
    add_json(command)
    options = command.parse_args(arguments)
    with open_workspace() as workspace:
        trees = [revision_tree(workspace.git, revision) for revision in options.revisions]
        rows = side_by_side(Bench(workspace), trees)
    if options.json:
        print_json([row._asdict() for row in rows])
        return 0
    if not rows:
        say("none of these versions has evidence: git lepton eval --rev REV makes it")
        return 0
    table = [["", *options.revisions]]
    for row in rows:
        table.append(
            [f"{row.model}  {row.evaluation}.{row.metric}", *("-" if one is None else amount(one) for one in row.values)]
        )
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    for line in table:
        cells = [line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))]
        show("  ".join(cells).rstrip())
    return 0
