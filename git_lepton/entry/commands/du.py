"""`git lepton du [REV]`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict

from git_lepton.entry.arguments import add_json, parser, print_json
from git_lepton.entry.revisions import UnknownRevision
from git_lepton.entry.terminal import counted, human_bytes
from git_lepton.workflow.usage import DiskUsage, disk_usage
from git_lepton.workspace import open_workspace


def main(arguments: Sequence[str]) -> int:
    """Say what weights take on this disk, and for each path of a version."""
    command = parser("du", "Say what weights take: on this disk, and for each path of a version.")
    command.add_argument("revision", nargs="?", default="HEAD", metavar="REV")
    add_json(command)
    options = command.parse_args(arguments)
    with open_workspace() as workspace:
        if options.revision != "HEAD" and workspace.git.rev_parse(f"{options.revision}^{{tree}}") is None:
            raise UnknownRevision(f"{options.revision!r} is no version of this repository", "git branch -a; git tag")
        usage = disk_usage(workspace, options.revision)
    if options.json:
        print_json(asdict(usage))
    else:
        sys.stdout.write("".join(f"{line}\n" for line in _lines(usage, options.revision)))
    return 0


def _lines(usage: DiskUsage, revision: str) -> list[str]:
    lines = [
        f"{human_bytes(usage.local):>8}  local store: {counted(usage.objects, 'object')} in {counted(usage.packs, 'pack')}",
        f"{human_bytes(usage.work_tree):>8}  real files of {revision} in the work tree",
        "",
        "    file    unique    stored  path",
    ]
    for path in usage.paths:
        columns = "  ".join(f"{human_bytes(n) if n is not None else '-':>8}" for n in (path.logical, path.unique, path.stored))
        lines.append(f"{columns}  {path.path}")
    known = [path for path in usage.paths if path.unique is not None]
    totals = (sum(p.logical for p in usage.paths), sum(p.unique or 0 for p in known), sum(p.stored or 0 for p in known))
    absent = len(usage.paths) - len(known)
    rest = f"; {absent} {'is' if absent == 1 else 'are'} not here" if absent else ""
    lines.append("  ".join(f"{human_bytes(n):>8}" for n in totals) + f"  in all{rest}")
    return lines if usage.paths else lines[:2]
