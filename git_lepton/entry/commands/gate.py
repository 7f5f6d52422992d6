"""`git lepton gate [BASE..HEAD]` and `git lepton gate doctor`."""

from __future__ import annotations

from collections.abc import Sequence

from git_lepton.entry.arguments import add_json, parser, print_json
from git_lepton.entry.evaluation_lines import as_json, evaluator, exit_code, show_judged
from git_lepton.entry.terminal import say
from git_lepton.evidence.gates import STAGES
from git_lepton.models.tree import index_tree
from git_lepton.workflow.evaluation.baselines import pushed_range, range_of, target_tree
from git_lepton.workflow.evaluation.judging import Bench, judge_tree
from git_lepton.workspace import open_workspace

_SKIP = 125  # by which git bisect leaves a version out


def main(arguments: Sequence[str]) -> int:
    """Judge what is staged, or the versions of a range, by the gates of its lepton.toml; run what has no evidence yet."""
    if arguments[:1] == ["doctor"]:
        from git_lepton.entry.commands.gate_doctor import main as doctor

        return doctor(arguments[1:])
    command = parser(
        "gate", "Judge models by the gates of lepton.toml: what is staged, or a revision, against what it would land on."
    )
    command.add_argument("range", nargs="?", metavar="BASE..HEAD", help="the versions to compare (default: what is staged)")
    command.add_argument("--model", metavar="NAME", action="append", default=[], help="only this model, changed or not")
    command.add_argument("--stage", choices=STAGES, help="only gates of evaluations that run at this stage")
    command.add_argument("--no-run", action="store_true", help="judge by the evidence there is; run nothing")
    add_json(command)
    options = command.parse_args(arguments)
    with open_workspace() as workspace:
        bench, git = Bench(workspace), workspace.git
        wanted = options.range or pushed_range(workspace.settings.environment)
        base, candidate = range_of(git, wanted) if wanted else (target_tree(git), index_tree(git))
        gates = bench.versions.gates(candidate)
        if options.stage:
            gates = gates.of_stage(options.stage)
        runs = None if options.no_run else evaluator()
        judged = judge_tree(bench, gates, candidate, base, bench.runs_of, runs, options.model)
        bisecting = git.rev_parse("refs/bisect/bad") is not None
    if options.json:
        print_json(as_json(judged))
    elif not gates.gates:
        say("lepton.toml has no gates")
    else:
        show_judged(judged)
    code = exit_code(judged)
    return _SKIP if bisecting and code not in (0, 1) else code
