"""Baselines: the tree that a candidate is compared with, the last release, and the best version so far."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence

from git_lepton.errors import WrongUse
from git_lepton.evidence.gates import Gate
from git_lepton.evidence.models import Model
from git_lepton.evidence.pooling import Run, pooled
from git_lepton.git.repository import GitRepository
from git_lepton.models.tree import NoSuchRevision, Tree, revision_tree
from git_lepton.models.version import KnownEvaluation, ModelVersion, Versions

_MOST_LOOKED_AT = 50
"""Versions of a model, the newest first, that are asked whether they are the best."""


class NoTargetBranch(WrongUse):
    """Nothing says which branch a version is to land on."""


def target_tree(git: GitRepository, head: str = "HEAD", *, landed: bool = True) -> Tree | None:
    """What a candidate that grew from `head` is compared with: the merge base with the branch that it would land on; while git
    bisects, a version that was found good. Where there is no such branch, `head` itself if that has landed, else None."""
    if git.rev_parse(head) is None:
        return None
    bisected = git.refs("refs/bisect/")
    if bisected:
        good = [commit for name, commit in bisected.items() if name.startswith("refs/bisect/good-")]
        return revision_tree(git, good[0]) if good else None
    branch = target_branch(git)
    if branch is None:
        return revision_tree(git, head) if landed else None
    status, output, _ = git.try_run("merge-base", branch, head)
    return revision_tree(git, output.decode().split()[0]) if status == 0 and output else revision_tree(git, branch)


def target_branch(git: GitRepository) -> str | None:
    """The branch that the current one would land on: its remote's default branch, or main or master here."""
    upstream = git.config(f"branch.{git.branch()}.remote") or "origin"
    for name in (f"refs/remotes/{upstream}/HEAD", f"refs/remotes/{upstream}/main", f"refs/remotes/{upstream}/master"):
        if git.rev_parse(name):
            return name
    here = git.branch()
    for name in ("main", "master"):
        if name != here and git.rev_parse(f"refs/heads/{name}"):
            return f"refs/heads/{name}"
    return None


def range_of(git: GitRepository, text: str) -> tuple[Tree | None, Tree]:
    """The two trees of `BASE..HEAD`, of `BASE...HEAD` (from their merge base), or of one revision and its target. Raises
    NoSuchRevision."""
    base, dots, head = text.partition("..")
    if not dots:
        return target_tree(git, text, landed=False), revision_tree(git, text)
    from_merge_base = head.startswith(".")
    head = head.removeprefix(".") or "HEAD"
    base = base or "HEAD"
    if not from_merge_base:
        return revision_tree(git, base), revision_tree(git, head)
    status, output, _ = git.try_run("merge-base", base, head)
    if status or not output:
        raise NoSuchRevision(f"{base} and {head} have no merge base", "Write two revisions that git log knows.")
    return revision_tree(git, output.decode().split()[0]), revision_tree(git, head)


def pushed_range(environment: Mapping[str, str]) -> str:
    """What pre-commit says is pushed, "" where it says nothing. A branch that is new there is compared with what it would land on."""
    head, base = environment.get("PRE_COMMIT_TO_REF", ""), environment.get("PRE_COMMIT_FROM_REF", "")
    if not environment.get("PRE_COMMIT") or not head:
        return ""
    return f"{base}...{head}" if base.strip("0") else head


def release_tree(git: GitRepository, pattern: str, candidate: Tree) -> Tree | None:
    """The newest tag of this pattern from which the candidate grew, None where there is none."""
    head = f"{candidate.commit}^" if candidate.commit else "HEAD"  # a release is not compared with itself
    status, output, _ = git.try_run("describe", "--tags", "--abbrev=0", f"--match={pattern}", head)
    return revision_tree(git, f"refs/tags/{os.fsdecode(output).strip()}") if status == 0 else None


def best_version(
    versions: Versions,
    git: GitRepository,
    model: Model,
    gate: Gate,
    known: KnownEvaluation,
    runs_of: Callable[[str], Sequence[Run]],
    base: Tree | None,
) -> ModelVersion | None:
    """The version with the best metric on the way to the base, of those that have evidence."""
    best: tuple[float, ModelVersion] | None = None
    for commit in commits_of(git, model, base.commit) if base and base.commit else ():
        version = versions.version(revision_tree(git, commit), model)
        runs = [run for run in runs_of(version.digest) if run.record.evaluation_digest == known.digest] if version else []
        value = pooled(runs, gate.metric)
        if version and value:
            rank = value.value if gate.higher else -value.value
            if best is None or rank > best[0]:
                best = rank, version
    return best[1] if best else None


def commits_of(git: GitRepository, model: Model, head: str) -> list[str]:
    """The commits along the first parents that changed files of the model, the newest first."""
    globs = [f":(top,glob){pattern.removeprefix('./').strip('/')}" for pattern in model.files]
    globs += [f"{glob}/**" for glob in globs]
    arguments = ("log", "--first-parent", "--format=%H", f"--max-count={_MOST_LOOKED_AT}", head, "--", *globs)
    return git.run(*arguments).decode().split()
