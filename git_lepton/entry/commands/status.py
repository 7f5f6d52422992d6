"""`git lepton status`."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence

from git_lepton.entry.arguments import add_json, parser, print_json
from git_lepton.entry.terminal import counted, human_bytes
from git_lepton.errors import WeightsMissing
from git_lepton.workflow.checkout import NothingTracked
from git_lepton.workflow.status import FileState, TrackedFile, Unpushed, tracked_files, unpushed
from git_lepton.workspace import open_workspace

_HEADINGS = {
    FileState.POINTER: "pointers; `git lepton pull` brings their weights",
    FileState.MODIFIED: "modified",
    FileState.DELETED: "deleted in the work tree",
    FileState.RAW: "whole in git itself; `git add --renormalize .` and a commit mend that",
    FileState.DAMAGED: "damaged pointers in git; take the files from another commit",
}


def main(arguments: Sequence[str]) -> int:
    """Say where the tracked files stand and what a push would send. Exit code 4 while a pointer stands where weights should."""
    command = parser(
        "status", "Say where tracked files stand, and what a push would send. Exit code 4 where pointers stand for weights."
    )
    command.add_argument("paths", nargs="*", metavar="PATH")
    add_json(command)
    options = command.parse_args(arguments)
    with open_workspace() as workspace:
        files = tracked_files(workspace.git, options.paths)
        if options.paths and not files:
            raise NothingTracked(f"no tracked file is at {', '.join(options.paths)}", "git lepton ls-files lists them.")
        waiting = unpushed(workspace)
    if options.json:
        print_json(_as_json(files, waiting))
    else:
        sys.stdout.write("".join(f"{line}\n" for line in _lines(files, waiting)))
    return WeightsMissing.exit_code if any(file.state is FileState.POINTER for file in files) else 0


def _lines(files: Sequence[TrackedFile], waiting: Unpushed) -> list[str]:
    count = Counter(file.state for file in files)
    size = sum(file.pointer.size for file in files if file.pointer)
    whole = f"; {count[FileState.HERE]} real and unchanged" if files else ""
    lines = [f"{counted(len(files), 'tracked file')}, {human_bytes(size)}{whole}"]
    for state, heading in _HEADINGS.items():
        if count[state]:
            lines += ["", f"{heading}:"]
            lines += [f"    {file.path}" for file in files if file.state is state]
    if count[FileState.SPARSE]:
        lines += ["", f"left out of the work tree by the sparse checkout: {counted(count[FileState.SPARSE], 'file')}"]
    if waiting.pointers:
        to = f" to {waiting.remote}" if waiting.remote else ""
        objects = counted(len(waiting.pointers), "object")
        lines += ["", f"a push{to} would offer {objects}, {human_bytes(waiting.bytes)} before coding"]
    return lines


def _as_json(files: Sequence[TrackedFile], waiting: Unpushed) -> dict[str, object]:
    return {
        "files": [
            {
                "path": file.path,
                "state": file.state,
                "staged": file.staged,
                "oid": str(file.pointer.oid) if file.pointer else None,
                "size": file.pointer.size if file.pointer else None,
            }
            for file in files
        ],
        "push": {"remote": waiting.remote, "objects": len(waiting.pointers), "bytes": waiting.bytes},
    }
