"""`git lepton gate doctor`."""

from __future__ import annotations

from collections.abc import Sequence

from git_lepton.entry.arguments import add_json, parser, print_json
from git_lepton.entry.terminal import say, show
from git_lepton.evidence.gates import BUILT_IN
from git_lepton.evidence.resolution import Resolution, false_refusals, resolution
from git_lepton.models.tree import index_tree
from git_lepton.workflow.evaluation.baselines import target_tree
from git_lepton.workflow.evaluation.judging import Bench
from git_lepton.workspace import open_workspace


def main(arguments: Sequence[str]) -> int:
    """Say which budgets are finer than their data can tell, and how many sound versions gates refuse by chance."""
    command = parser("gate doctor", "Say which gates ask for more than their items can tell.")
    add_json(command)
    options = command.parse_args(arguments)
    found: list[tuple[str, Resolution]] = []
    unknown: list[str] = []
    with open_workspace() as workspace:
        bench = Bench(workspace)
        here, base = index_tree(workspace.git), target_tree(workspace.git)
        gates = bench.versions.gates(here)
        for gate in gates.gates:
            if gate.regression is None or gate.evaluation == BUILT_IN:
                continue
            known = bench.versions.evaluation(here, gates.evaluations[gate.evaluation])
            for name in gate.models:
                sides = []
                for tree in (here, base):
                    version = bench.versions.version(tree, gates.models[name]) if tree else None
                    runs = bench.runs_of(version.digest) if version else []
                    sides.append([run for run in runs if run.record.evaluation_digest == known.digest])
                told = resolution(gate, sides[0] or sides[1], sides[1] if sides[0] else [])
                if told:
                    found.append((name, told))
                else:
                    unknown.append(f"{name}  {gate.name}")
    chance = false_refusals(one.refusals for _, one in found)
    if options.json:
        rows = [{**one._asdict(), "model": name, "gate": one.gate.name} for name, one in found]
        print_json({"gates": rows, "without_evidence": unknown, "false_refusals_percent": round(chance, 1)})
    else:
        for name, one in found:
            show(f"{'fine ' if one.sound else 'LOOK '} {name}  {one.gate.name}  {one.sentence}")
        for line in unknown:
            show(f"?      {line}  no evidence yet: git lepton eval")
        say(f"of 100 versions that are as good as before, these gates refuse about {chance:.0f} by chance")
    return 0 if all(one.sound for _, one in found) else 1
