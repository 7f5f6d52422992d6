"""Judging: a candidate and its baseline, the evidence of both, and the verdict of every gate. Runs what is missing where that is wanted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from git_lepton.errors import LeptonError
from git_lepton.evidence.gates import BEST, BUILT_IN, TARGET_BRANCH, Gate, Gates
from git_lepton.evidence.judgement import Run, Verdict, judge, judge_built_in, missing
from git_lepton.models.tensor_cache import TensorCache
from git_lepton.models.tree import Tree, revision_tree
from git_lepton.models.version import KnownEvaluation, ModelVersion, Versions
from git_lepton.store.evidence_store import EvidenceStore
from git_lepton.workflow.evaluation.baselines import best_version, release_tree
from git_lepton.workflow.evaluation.evaluate import Evaluated, evaluate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from git_lepton.workspace import Workspace

RunsOf = Callable[[str], Sequence[Run]]
"""The evidence of a version of a model (its digest in hex), wherever it is kept."""


class Judged(NamedTuple):
    """A model of the candidate: its version (None: it is gone), the baseline's, whether it changed, and what each gate says."""

    model: str
    version: ModelVersion | None
    baseline: ModelVersion | None
    verdicts: list[Verdict]

    @property
    def changed(self) -> bool:
        """Whether the version is another than the baseline's."""
        return self.version is not None and (self.baseline is None or self.baseline.digest != self.version.digest)


class Evaluator(NamedTuple):
    """Who runs what has no evidence yet; hears of each run before and after. `force`: run again what has some."""

    begin: Callable[[str, str, float | None], Callable[[float], None]]
    end: Callable[[str, str, Evaluated | LeptonError], None]
    force: bool = False


class Bench:
    """Everything that judging in one repository needs, opened once."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.evidence = EvidenceStore(workspace.store.root)
        self.trusted: dict[str, str] = {}  # how far a server trusts records, by name
        self.tensors = TensorCache(workspace.store, workspace.store.root, lambda pointer: workspace.fetch([pointer]))
        self.versions = Versions(workspace.git, self.tensors)

    def runs_of(self, digest: str) -> list[Run]:
        """The evidence that is kept on this machine."""
        return [Run(kept.name, kept.record, self.trusted.get(kept.name, "self")) for kept in self.evidence.of_model(digest)]

    def run_missing(
        self, tree: Tree, known: KnownEvaluation, version: ModelVersion, evaluator: Evaluator
    ) -> list[Evaluated | LeptonError]:
        """Run an evaluation on a version as often as its table says, less what was run before. Gives what came of each run."""
        before = [kept for kept in self.evidence.of_model(version.digest) if kept.record.evaluation_digest == known.digest]
        expected = next((kept.record.seconds for kept in before), None)
        done: list[Evaluated | LeptonError] = []
        for _ in range(1 if evaluator.force else max(0, known.evaluation.repeat - len(before))):
            tick = evaluator.begin(known.evaluation.name, version.name, expected)
            try:
                found: Evaluated | LeptonError = evaluate(self.workspace, self.evidence, tree, known, version, tick)
            except LeptonError as error:
                found = error
            evaluator.end(known.evaluation.name, version.name, found)
            done.append(found)
            if isinstance(found, LeptonError):
                break
        return done


def judge_tree(
    bench: Bench,
    gates: Gates,
    candidate: Tree,
    base: Tree | None,
    runs_of: RunsOf,
    evaluator: Evaluator | None = None,
    models: Sequence[str] = (),
) -> list[Judged]:
    """The verdicts of all gates on the models of `candidate` (only these, if any are named), compared with those of `base`.

    A model that is as it was is not judged: whatever it was judged by, it has landed. Without `evaluator` nothing is run. Raises
    BadLeptonToml, NoInputs, BaseNotFound, WeightsNotHere.
    """
    found = []
    release = release_tree(bench.workspace.git, gates.release, candidate)
    for name, model in gates.models.items():
        if models and name not in models:
            continue
        version = bench.versions.version(candidate, model)
        before = bench.versions.version(base, model) if base else None
        judged = Judged(name, version, before, [])
        if version is not None and (judged.changed or models):
            released = bench.versions.version(release, model) if release else None
            for gate in gates.of_model(name):
                judged.verdicts.append(_verdict(bench, gates, candidate, gate, judged, released, runs_of, evaluator, base))
        found.append(judged)
    return found


def _verdict(
    bench: Bench,
    gates: Gates,
    tree: Tree,
    gate: Gate,
    judged: Judged,
    released: ModelVersion | None,
    runs_of: RunsOf,
    evaluator: Evaluator | None,
    base: Tree | None,
) -> Verdict:
    version = judged.version
    assert version is not None
    if gate.evaluation == BUILT_IN:
        return _built_in(bench, gate, judged, released)
    known = bench.versions.evaluation(tree, gates.evaluations[gate.evaluation])
    before = _baseline(bench, gates, gate, judged, known, runs_of, base)
    trouble: dict[str, LeptonError] = {}
    if evaluator:
        trouble = _make_evidence(bench, tree, known, version, before if gate.regression else None, runs_of, evaluator)
    if version.digest in trouble:
        return missing(gate, judged.model, trouble[version.digest])
    return judge(
        gate,
        judged.model,
        _runs(runs_of, version, known),
        None if before is None else _runs(runs_of, before, known),
        None if released is None or released.digest == version.digest else _runs(runs_of, released, known),
    )


def _make_evidence(
    bench: Bench,
    tree: Tree,
    known: KnownEvaluation,
    version: ModelVersion,
    before: ModelVersion | None,
    runs_of: RunsOf,
    evaluator: Evaluator,
) -> dict[str, LeptonError]:
    """Run what has no evidence, and where two versions have none in a common environment, both here. What failed, by digest."""
    trouble: dict[str, LeptonError] = {}

    def run(one: ModelVersion, how: Evaluator) -> None:
        for done in bench.run_missing(tree, known, one, how):
            if isinstance(done, LeptonError):
                trouble[one.digest] = done

    for one in filter(None, (version, before)):
        if not _has(runs_of, one, known, evaluator):
            run(one, evaluator)
    again = evaluator._replace(force=True)
    for one in filter(None, (before, version)):
        if before and not trouble and not _comparable(_runs(runs_of, version, known), _runs(runs_of, before, known)):
            run(one, again)
    return trouble


def _comparable(runs: Sequence[Run], others: Sequence[Run]) -> bool:
    return bool({run.record.environment_class for run in runs} & {run.record.environment_class for run in others})


def _has(runs_of: RunsOf, version: ModelVersion, known: KnownEvaluation, evaluator: Evaluator) -> bool:
    return not evaluator.force and len(_runs(runs_of, version, known)) >= known.evaluation.repeat


def _runs(runs_of: RunsOf, version: ModelVersion, known: KnownEvaluation) -> list[Run]:
    return [run for run in runs_of(version.digest) if run.record.evaluation_digest == known.digest]


def _baseline(
    bench: Bench, gates: Gates, gate: Gate, judged: Judged, known: KnownEvaluation, runs_of: RunsOf, base: Tree | None
) -> ModelVersion | None:
    """The version that a gate compares with. Raises NoSuchRevision for a tag that there is not."""
    model = gates.models[judged.model]
    if gate.baseline == TARGET_BRANCH:
        return judged.baseline
    if gate.baseline == BEST:
        return best_version(bench.versions, bench.workspace.git, model, gate, known, runs_of, base) or judged.baseline
    return bench.versions.version(revision_tree(bench.workspace.git, f"refs/tags/{gate.baseline}"), model)


def _built_in(bench: Bench, gate: Gate, judged: Judged, released: ModelVersion | None) -> Verdict:
    def value(version: ModelVersion | None) -> float | None:
        if version is None:
            return None
        if gate.metric == "stored_bytes":
            return stored_bytes(bench, version)
        return version.size_bytes if gate.metric == "size_bytes" else version.parameters

    return judge_built_in(gate, judged.model, value(judged.version), value(judged.baseline), value(released))


def stored_bytes(bench: Bench, version: ModelVersion) -> int | None:
    """What the weights of a version take in this machine's store, as they are coded there; None where they are not here."""
    total, seen = 0, set()
    for pointer in {file.content for file in version.files if not isinstance(file.content, str)}:
        manifest = bench.workspace.store.manifest(pointer.oid)
        if manifest is None:
            return None
        for entry in manifest.entries:
            record = bench.workspace.store.record(entry.chunk)
            if record is None:
                return None
            if entry.chunk not in seen:
                seen.add(entry.chunk)
                total += record.stored_length
    return total
