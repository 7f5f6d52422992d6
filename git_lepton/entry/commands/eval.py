"""`git lepton eval [MODEL...]`."""

from __future__ import annotations

from collections.abc import Sequence

from git_lepton.entry.arguments import add_json, parser, print_json
from git_lepton.entry.evaluation_lines import evaluator
from git_lepton.entry.terminal import say
from git_lepton.errors import LeptonError, WrongUse
from git_lepton.evidence.gates import STAGES, Evaluation, Gates
from git_lepton.models.tree import index_tree, revision_tree
from git_lepton.workflow.evaluation.baselines import target_tree
from git_lepton.workflow.evaluation.evaluate import Evaluated
from git_lepton.workflow.evaluation.judging import Bench
from git_lepton.workspace import open_workspace


class NothingToEvaluate(WrongUse):
    """There is no such model or evaluation, or none at all."""


def main(arguments: Sequence[str]) -> int:
    """Run evaluations on the staged versions of models, or on those of a revision; what has evidence is not run again."""
    command = parser("eval", "Run the evaluations of lepton.toml, and keep what they find as evidence.")
    command.add_argument("models", nargs="*", metavar="MODEL", help="only these models")
    which = command.add_mutually_exclusive_group()
    which.add_argument("--rev", metavar="REV", help="the models of this revision (default: what is staged)")
    which.add_argument("--baseline", action="store_true", help="the models of the version that a gate compares with")
    command.add_argument("--only", metavar="EVAL", action="append", default=[], help="only this evaluation")
    command.add_argument("--stage", choices=STAGES, help="only evaluations of this stage")
    command.add_argument("--force", action="store_true", help="run again what has evidence; both runs count")
    add_json(command)
    options = command.parse_args(arguments)
    with open_workspace() as workspace:
        bench, here = Bench(workspace), index_tree(workspace.git)
        gates = bench.versions.gates(here)
        wanted = _wanted(gates, options.models, options.only, options.stage)
        tree = revision_tree(workspace.git, options.rev) if options.rev else here
        if options.baseline:
            tree = target_tree(workspace.git) or here
        done: list[Evaluated | LeptonError] = []
        for evaluation in wanted:
            known = bench.versions.evaluation(here, evaluation)
            for name in evaluation.models:
                if options.models and name not in options.models:
                    continue
                version = bench.versions.version(tree, gates.models[name])
                if version is None:
                    say(f"{name} has no files in this version")
                    continue
                ran = bench.run_missing(here, known, version, evaluator(force=options.force))
                if not ran:
                    say(f"{evaluation.name} on {name}: there is evidence already")
                done += ran
    if options.json:
        print_json([_told(one) for one in done])
    failed = [one for one in done if isinstance(one, LeptonError)]
    return failed[0].exit_code if failed else 0


def _wanted(gates: Gates, models: Sequence[str], only: Sequence[str], stage: str | None) -> list[Evaluation]:
    """The evaluations to run. Raises NothingToEvaluate."""
    for kind, names, known in (("model", models, gates.models), ("evaluation", only, gates.evaluations)):
        for name in names:
            if name not in known:
                raise NothingToEvaluate(f"lepton.toml has no {kind} {name}", f"It has: {', '.join(known) or 'none'}.")
    if not gates.evaluations:
        raise NothingToEvaluate("the staged lepton.toml has no evaluation", '[eval.NAME] command = "python evaluate.py {model}"')
    found = [one for name, one in gates.evaluations.items() if not only or name in only]
    return [one for one in found if stage is None or stage in one.stages]


def _told(one: Evaluated | LeptonError) -> dict[str, object]:
    if isinstance(one, LeptonError):
        return {"error": one.message, "hint": one.hint}
    record = one.kept.record
    return {
        "record": one.kept.name,
        "model": record.model,
        "digest": record.model_digest,
        "evaluation": record.evaluation,
        "metrics": {name: metric.value for name, metric in record.metrics.items()},
        "seconds": record.seconds,
        "undeclared": one.undeclared,
    }
