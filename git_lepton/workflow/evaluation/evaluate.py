"""One evaluation of one version of a model: the program runs on exactly that version's files, and what it found becomes evidence."""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from git_lepton.errors import WrongUse
from git_lepton.evidence.record import BadRecord, Record
from git_lepton.models.tree import Tree
from git_lepton.models.version import KnownEvaluation, ModelVersion
from git_lepton.store.evidence_store import EvidenceStore, Kept
from git_lepton.workflow.evaluation.interruption import tidy_when_told_to_end
from git_lepton.workflow.evaluation.opened_files import undeclared, watched
from git_lepton.workflow.evaluation.process import RESULT_VARIABLE, Ended, run
from git_lepton.workflow.evaluation.result_values import BadResult, Result
from git_lepton.workflow.evaluation.results import read_result
from git_lepton.workflow.evaluation.staging import own_folder, staged
from git_lepton.workflow.evaluation.surroundings import command_line, environment_class, environment_of_user

TYPE_CHECKING = False
if TYPE_CHECKING:
    from git_lepton.workspace import Workspace


_PATHS_AT_ONCE = 500  # a command line has room for so many


class InputsDiffer(WrongUse):
    """The inputs of an evaluation in the work tree are not those by which its evidence would be named."""


class Evaluated(NamedTuple):
    """The evidence of one run, and the files that the evaluation opened without declaring them."""

    kept: Kept
    undeclared: list[str]


def evaluate(
    workspace: Workspace,
    evidence: EvidenceStore,
    tree: Tree,
    known: KnownEvaluation,
    version: ModelVersion,
    tick: Callable[[float], None] = lambda _: None,
    device: str | None = None,
) -> Evaluated:
    """Run an evaluation, as `tree` has it, on a version of a model, and keep what it found.

    Weights that are not here are fetched. `device`: the GPU that the program may see, None for all. Raises EvaluationFailed, BadResult,
    BadCommand, InputsDiffer, and what fetching raises.
    """
    top = workspace.git.work_tree()
    _refuse_other_inputs(workspace, tree, known)
    _bring_weights(workspace, version)
    root = workspace.git.common_dir / "lepton" / "staging"
    with tidy_when_told_to_end(), _folders(workspace, root, version) as (places, into):
        result_path = into / "result.json"
        places["{result}"] = str(result_path)
        environment = environment_of_user(workspace.settings.environment) | {RESULT_VARIABLE: str(result_path)}
        if device is not None:
            environment["CUDA_VISIBLE_DEVICES"] = device
        words = command_line(known.evaluation, places, top, environment)
        ended = run(words, top, watched(environment, top, into / "opened"), known.evaluation.timeout, tick)
        result = read_result(result_path, _last_line(ended))
        opened = undeclared(into / "opened", top, known.inputs, known.evaluation.inputs)
    record = _record(workspace, known, version, result, ended)
    try:
        return Evaluated(evidence.add(record.encode()), opened)
    except BadRecord as error:
        raise BadResult(f"what [eval.{known.evaluation.name}] found cannot be kept: {error.message}") from error


@contextlib.contextmanager
def _folders(workspace: Workspace, root: Path, version: ModelVersion) -> Iterator[tuple[dict[str, str], Path]]:
    """What {model} and {base} stand for, and a folder for the result."""
    with contextlib.ExitStack() as stack:
        git, store = workspace.git, workspace.store
        model = stack.enter_context(staged(git, store, root, version.files, version.entries))
        places = {"{model}": str(model)}
        if version.base and version.base_entries is not None:
            places["{base}"] = str(stack.enter_context(staged(git, store, root, version.base, version.base_entries)))
        yield places, stack.enter_context(own_folder(root))


def _refuse_other_inputs(workspace: Workspace, tree: Tree, known: KnownEvaluation) -> None:
    """The program runs in the work tree, so its inputs there must be those of the tree. Raises InputsDiffer."""
    inputs, against, changed = list(known.inputs), (tree.commit,) if tree.commit else (), b""
    for start in range(0, len(inputs), _PATHS_AT_ONCE):
        some = inputs[start : start + _PATHS_AT_ONCE]
        changed += workspace.git.run_at_top("--literal-pathspecs", "diff", "--name-only", "-z", *against, "--", *some)
    if changed:
        paths = os.fsdecode(changed).split("\0")[:-1]
        what = f"{paths[0]} and {len(paths) - 1} more inputs" if paths[1:] else paths[0]
        raise InputsDiffer(
            f"{what} of [eval.{known.evaluation.name}] in the work tree are not as {tree.commit[:12] or 'they are staged'}",
            f"git checkout {tree.commit[:12]}" if tree.commit else f"git add {paths[0]}, or git restore it.",
        )


def _bring_weights(workspace: Workspace, version: ModelVersion) -> None:
    from git_lepton.workflow.sync.fetch import fetch_weights

    pointers = list(dict.fromkeys(version.pointers))
    fetch_weights(workspace.store, pointers, workspace.fetch)


def _last_line(ended: Ended) -> bytes:
    lines = [line for line in ended.output.splitlines() if line.strip()]
    return lines[-1] if lines else b""


def _record(workspace: Workspace, known: KnownEvaluation, version: ModelVersion, result: Result, ended: Ended) -> Record:
    git = workspace.git
    return Record(
        version.name,
        version.digest,
        known.evaluation.name,
        known.digest,
        result.metrics,
        result.items,
        environment_class(result.environment),
        result.attachments,
        datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        _identity(workspace),
        git.rev_parse("HEAD") or "",
        round(ended.seconds, 3),
    )


def _identity(workspace: Workspace) -> str:
    """Who is running this, as git would sign a commit; where git does not know, the machine."""
    status, output, _ = workspace.git.try_run("var", "GIT_COMMITTER_IDENT")
    told = os.fsdecode(output).rpartition(">")[0] + ">" if status == 0 else ""
    return "".join(letter for letter in told if letter.isprintable()) or platform.node()
