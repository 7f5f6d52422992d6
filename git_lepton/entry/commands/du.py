"""`git lepton du [REV] [--versions | --tensors | --branch NAME | --remote [NAME]]`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from git_lepton.entry.arguments import add_json, parser, print_json
from git_lepton.entry.bills import numbers, table
from git_lepton.entry.revisions import UnknownRevision
from git_lepton.entry.terminal import counted, human_bytes, show
from git_lepton.workspace import Workspace, open_workspace

_TEXT = """Say what weights take. file: the files. unique: their pieces, each counted once, for the first that has it. delta, stored:
what these take on this disk, delta the part of it that is kept as a difference to a base."""


def main(arguments: Sequence[str]) -> int:
    """Say what weights take: on this disk, and for paths, versions or tensors."""
    command = parser("du", _TEXT)
    command.add_argument("revision", nargs="?", default="HEAD", metavar="REV")
    by = command.add_mutually_exclusive_group()
    by.add_argument("--versions", action="store_true", help="by version: what each commit up to REV added")
    by.add_argument("--tensors", action="store_true", help="by group of tensors (numbers in names left open)")
    by.add_argument("--branch", metavar="NAME", help="what deleting this branch would free")
    by.add_argument(
        "--remote",
        nargs="?",
        const="",
        metavar="NAME",
        help="on the server: what the repository of this remote takes there, by branch",
    )
    add_json(command)
    options = command.parse_args(arguments)
    with open_workspace() as workspace:
        if options.revision != "HEAD" and workspace.git.rev_parse(f"{options.revision}^{{commit}}") is None:
            raise UnknownRevision(f"{options.revision!r} is no version of this repository", "git branch -a; git tag")
        if options.versions:
            value, lines = _versions(workspace, options.revision)
        elif options.tensors:
            value, lines = _tensors(workspace, options.revision)
        elif options.remote is not None:
            value, lines = _remote(workspace, options.remote or None)
        elif options.branch is not None:
            value, lines = _branch(workspace, options.branch)
        else:
            value, lines = _paths(workspace, options.revision)
    if options.json:
        print_json(value)
    else:
        show(*lines)
    return 0


def _paths(workspace: Workspace, revision: str) -> tuple[Any, list[str]]:
    from git_lepton.workflow.usage.versions import disk_usage

    usage = disk_usage(workspace, revision)
    lines = [
        f"{human_bytes(usage.local):>8}  local store: {counted(usage.objects, 'object')} in {counted(usage.packs, 'pack')}",
        f"{human_bytes(usage.work_tree):>8}  real files of {revision} in the work tree",
    ]
    if usage.paths:
        lines += ["", *table(((path.bill, path.path, path.here) for path in usage.paths), "path")]
    whole = {"local": usage.local, "packs": usage.packs, "objects": usage.objects, "work_tree": usage.work_tree}
    return {**whole, "paths": [{"path": p.path, "here": p.here, **numbers(p.bill)} for p in usage.paths]}, lines


def _versions(workspace: Workspace, revision: str) -> tuple[Any, list[str]]:
    from git_lepton.workflow.usage.history import version_costs

    costs = version_costs(workspace, revision) if workspace.git.rev_parse(f"{revision}^{{commit}}") else []
    rows = [(cost.bill, f"{cost.commit[:8]}  {cost.day}  {cost.subject}", not cost.absent) for cost in costs]
    value = [
        {"commit": c.commit, "day": c.day, "subject": c.subject, "objects_not_here": c.absent, **numbers(c.bill)} for c in costs
    ]
    return value, table(rows, "version") if rows else ["no version names weights"]


def _tensors(workspace: Workspace, revision: str) -> tuple[Any, list[str]]:
    from git_lepton.workflow.usage.tensors import tensor_costs

    costs = tensor_costs(workspace, revision)
    rows = [(cost.bill, f"{cost.group}  ({_contents(cost.tensors, cost.elements)})", True) for cost in costs]
    value = [{"group": c.group, "tensors": c.tensors, "dtypes": list(c.elements), **numbers(c.bill)} for c in costs]
    return value, table(rows, "tensors") if rows else ["no weights of this version are here"]


def _contents(tensors: int, elements: Sequence[str]) -> str:
    return f"{tensors} x {', '.join(elements)}" if tensors else "no tensors"


def _remote(workspace: Workspace, remote: str | None) -> tuple[Any, list[str]]:
    from git_lepton.transfer.collaboration import usage_of
    from git_lepton.wire.messages import to_json

    store = workspace.remote(remote, push=remote is None)
    usage = usage_of(store)
    limit = "" if usage.quota is None else f" of {human_bytes(usage.quota)} that may be"
    lines = [
        f"{human_bytes(usage.stored):>8}  stored for {store.repository} on {store.connection.host}{limit}: "
        f"{counted(usage.files, 'file')} of {human_bytes(usage.file_bytes)}"
    ]
    if usage.branches:
        lines += ["", "   files    stored      only  branch (only: what neither another branch nor a tag reaches)"]
        lines += [
            f"{one.files:>8}  {human_bytes(one.stored):>8}  {human_bytes(one.only):>8}  {one.branch}" for one in usage.branches
        ]
    return to_json(usage), lines


def _branch(workspace: Workspace, branch: str) -> tuple[Any, list[str]]:
    from git_lepton.workflow.usage.history import branch_cost

    if workspace.git.rev_parse(f"refs/heads/{branch}") is None:
        raise UnknownRevision(f"{branch!r} is no branch of this repository", "git branch")
    cost = branch_cost(workspace, branch)
    freed = f"deleting {branch} would free {human_bytes(cost.bill.stored)} of {counted(cost.objects, 'object')}"
    lines = [freed + " that nothing else reaches, when git has forgotten them and `git lepton prune` has run"]
    if cost.absent:
        lines.append(f"{cost.absent} of these are not here, and free nothing here")
    return {"branch": cost.branch, "objects": cost.objects, "objects_not_here": cost.absent, **numbers(cost.bill)}, lines
