"""`git lepton best MODEL --metric NAME`."""

from __future__ import annotations

from collections.abc import Sequence

from git_lepton.entry.arguments import add_json, parser, print_json
from git_lepton.entry.terminal import counted, say, show
from git_lepton.evidence.wording import amount
from git_lepton.models.tree import revision_tree
from git_lepton.settings.kinds import READERS
from git_lepton.workflow.evaluation.comparison import Candidate, best_of
from git_lepton.workflow.evaluation.judging import Bench
from git_lepton.workspace import open_workspace


def main(arguments: Sequence[str]) -> int:
    """Name the best version of a model along the history, or say that it is a tie within the noise."""
    command = parser("best", "Name the best version of a model in the history of a revision, by the evidence there is.")
    command.add_argument("model", metavar="MODEL")
    command.add_argument("--metric", required=True, metavar="NAME", help="METRIC, or EVALUATION.METRIC")
    command.add_argument("--goal", choices=("higher", "lower"), help="what is better (default: as the evidence or a gate says)")
    command.add_argument("--max-size", type=READERS["size"], metavar="BYTES", help="only versions of at most so many bytes (50m)")
    command.add_argument("--rev", default="HEAD", metavar="REV", help="where the history ends (default: HEAD)")
    add_json(command)
    options = command.parse_args(arguments)
    with open_workspace() as workspace:
        head = revision_tree(workspace.git, options.rev)
        higher = None if options.goal is None else options.goal == "higher"
        found = best_of(Bench(workspace), head, options.model, options.metric, higher=higher, most_bytes=options.max_size)
    if options.json:
        print_json({"best": _row(found.best), "ties": [_row(one) for one in found.ties], "versions": found.looked_at})
        return 0
    show(f"{found.best.commit[:12]}  {options.metric} {amount(found.best.value)}")
    for one in found.ties:
        show(f"{one.commit[:12]}  {options.metric} {amount(one.value)}  a tie within the noise")
    say(f"of {counted(found.looked_at, 'version')} with evidence")
    return 0


def _row(one: Candidate) -> dict[str, object]:
    return {"commit": one.commit, "digest": one.version.digest, "value": one.value, "size": one.version.size_bytes}
