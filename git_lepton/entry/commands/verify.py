"""`git lepton verify [BASE..HEAD]`."""

from __future__ import annotations

from collections.abc import Sequence

from git_lepton.entry.arguments import add_json, parser, print_json
from git_lepton.entry.evaluation_lines import as_json, exit_code, show_judged
from git_lepton.entry.terminal import counted, say, show, warn
from git_lepton.transfer.evidence import ServerKeepsNoEvidence
from git_lepton.workflow.evaluation.baselines import range_of
from git_lepton.workflow.evaluation.judging import Bench, judge_tree
from git_lepton.workflow.evaluation.landing import Weights, weights_of
from git_lepton.workflow.evaluation.sharing import bring
from git_lepton.workspace import open_workspace

_MOST_NAMED = 20


def main(arguments: Sequence[str]) -> int:
    """The required check of a pull request: weights are stored, tracked files are pointers, gates pass. Nothing is run."""
    command = parser(
        "verify", "Check that what a range brings may land: its weights are stored, and its models pass their gates."
    )
    command.add_argument("range", nargs="?", default="HEAD", metavar="BASE..HEAD", help="the versions to compare (default: HEAD)")
    command.add_argument("--remote", metavar="NAME", help="the store of this remote (default: the one that git would use)")
    add_json(command)
    options = command.parse_args(arguments)
    with open_workspace() as workspace:
        base, head = range_of(workspace.git, options.range)
        weights = weights_of(workspace, base, head, options.remote)
        bench = Bench(workspace)
        if bench.versions.gates(head).gates and workspace.location(options.remote).folder is None:
            try:
                bring(bench, [tree for tree in (base, head) if tree], options.remote)
            except ServerKeepsNoEvidence as error:
                warn(f"{error.message}; only what is here counts")
        judged = judge_tree(bench, bench.versions.gates(head), head, base, bench.runs_of) if not weights.missing else []
    if options.json:
        print_json({"weights": {**weights._asdict(), "sound": weights.sound}, "models": as_json(judged)})
    else:
        _show(weights)
        show_judged(judged)
    if weights.missing:
        return 4
    return 1 if not weights.sound else exit_code(judged)


def _show(weights: Weights) -> None:
    for what, paths in (
        ("their weights are not stored", weights.missing),
        ("their pointers are damaged", weights.damaged),
        ("git holds their bytes, and their attributes ask for a pointer", weights.raw),
    ):
        for path in paths[:_MOST_NAMED]:
            show(f"MISSING {path}" if paths is weights.missing else f"WRONG   {path}")
        if paths:
            more = f", and {len(paths) - _MOST_NAMED} more" if len(paths) > _MOST_NAMED else ""
            say(f"{counted(len(paths), 'file')}: {what}{more}")
    if weights.sound:
        say(f"{counted(weights.files, 'weight file')} of this range: all stored")
