"""`git lepton status`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from git_lepton.entry.arguments import add_json, parser, print_json
from git_lepton.entry.boundary import complain
from git_lepton.entry.terminal import counted, human_bytes, show
from git_lepton.entry.uncovered import named, remedy
from git_lepton.errors import WeightsMissing
from git_lepton.settings.addresses import without_user
from git_lepton.workflow.checkout.checkout import NothingTracked
from git_lepton.workflow.setup.push_guard import unguarded
from git_lepton.workflow.sync.status import (
    FileState,
    TrackedFile,
    Unpushed,
    covered_only_here,
    taken_away,
    tracked_files,
    unpushed,
)
from git_lepton.workspace import open_workspace

_HEADINGS = {
    FileState.POINTER: "pointers; `git lepton pull` brings their weights",
    FileState.CONFLICT: "in conflict; `git checkout --ours|--theirs -- PATH`, then `git add PATH`",
    FileState.MODIFIED: "modified",
    FileState.DELETED: "deleted in the work tree",
    FileState.RAW: "whole in git itself; `git add --renormalize .` and a commit mend that",
    FileState.PLACEHOLDER: "another tool's pointers, not weights; bring the files first (git lfs pull), then `git add` them",
    FileState.DAMAGED: "damaged pointers in git; take the files from another commit",
    FileState.UNCOVERED: "pointers that no .gitattributes covers; `git lepton track PATH`, then `git lepton pull`",
}

_TAKEN_AWAY = "pointers whose weights the server took away, as it said last; check out another version"


def main(arguments: Sequence[str]) -> int:
    """Say where the tracked files stand and what a push would send. Exit code 4 while a pointer stands where weights should."""
    command = parser(
        "status", "Show the state of tracked files, and what a push would send. Exit code 4 if files are still pointers."
    )
    command.add_argument("paths", nargs="*", metavar="PATH")
    add_json(command)
    options = command.parse_args(arguments)
    with open_workspace() as workspace:
        files = tracked_files(workspace.git, options.paths)
        if options.paths and not files:
            raise NothingTracked(f"no tracked file is at {', '.join(options.paths)}", "git lepton ls-files lists them.")
        waiting = unpushed(workspace)
        if files and (missing := unguarded(workspace)):
            complain(missing)
        gone = taken_away(workspace, files)
        private = covered_only_here(workspace.git, files)
        hint = remedy(workspace.git, private) if private else ""
    if options.json:
        print_json({**_as_json(files, waiting, gone), "covered_only_here": private})
    else:
        lines = _lines(files, waiting, gone)
        if private:
            lines += ["", f"clones would hold pointers: the .gitattributes in git do not cover {named(private)}", f"    {hint}"]
        show(*lines)
    stand = (FileState.POINTER, FileState.UNCOVERED)
    return WeightsMissing.exit_code if any(file.state in stand for file in files) else 0


def _lines(files: Sequence[TrackedFile], waiting: Unpushed, gone: Mapping[str, str]) -> list[str]:
    count = Counter(file.state for file in files)
    tracked = [file for file in files if file.state is not FileState.UNCOVERED]
    size = sum(file.pointer.size for file in tracked if file.pointer)
    whole = f"; {count[FileState.HERE]} real and unchanged" if tracked else ""
    lines = [f"{counted(len(tracked), 'tracked file')}, {human_bytes(size)}{whole}"]
    for state, heading in _HEADINGS.items():
        paths = [file.path for file in files if file.state is state and file.path not in gone]
        if paths:
            lines += ["", f"{heading}:", *(f"    {path}" for path in paths)]
    if gone:
        lines += ["", f"{_TAKEN_AWAY}:", *(f"    {path} {why}" for path, why in gone.items())]
    if count[FileState.SPARSE]:
        lines += ["", f"left out of the work tree by the sparse checkout: {counted(count[FileState.SPARSE], 'file')}"]
    if waiting.pointers:
        to = f" to {without_user(waiting.remote)}" if waiting.remote else ""
        objects = counted(len(waiting.pointers), "object")
        lines += ["", f"a push{to} would offer {objects}, {human_bytes(waiting.bytes)} before coding"]
    return lines


def _as_json(files: Sequence[TrackedFile], waiting: Unpushed, gone: Mapping[str, str]) -> dict[str, object]:
    return {
        "files": [
            {
                "path": file.path,
                "state": file.state,
                "staged": file.staged,
                "oid": str(file.pointer.oid) if file.pointer else None,
                "size": file.pointer.size if file.pointer else None,
                "taken_away": gone.get(file.path),
            }
            for file in files
        ],
        "push": {"remote": without_user(waiting.remote or "") or None, "objects": len(waiting.pointers), "bytes": waiting.bytes},
    }
