"""`git lepton ls-files [PATH...]`."""

from __future__ import annotations

from collections.abc import Sequence

from git_lepton.entry.arguments import add_json, parser, print_json
from git_lepton.entry.terminal import human_bytes, show
from git_lepton.workflow.sync.status import FileState, tracked_files
from git_lepton.workspace import open_workspace


def main(arguments: Sequence[str]) -> int:
    """List the tracked files: name of content, whether the weights stand in the work tree (*) or a pointer (-), size, path."""
    command = parser("ls-files", "List tracked files: oid, * for a real file and - for a pointer, size, path.")
    command.add_argument("paths", nargs="*", metavar="PATH")
    command.add_argument("--long", action="store_true", help="print whole oids")
    add_json(command)
    options = command.parse_args(arguments)
    with open_workspace() as workspace:
        files = tracked_files(workspace.git, options.paths)
    if options.json:
        print_json(
            [
                {
                    "path": file.path,
                    "oid": str(file.pointer.oid) if file.pointer else None,
                    "size": file.pointer.size if file.pointer else None,
                    "state": file.state,
                }
                for file in files
            ]
        )
        return 0
    for file in files:
        mark = "-" if file.state in (FileState.POINTER, FileState.SPARSE, FileState.DELETED, FileState.UNCOVERED) else "*"
        oid = file.pointer.oid.hex[: None if options.long else 12] if file.pointer else "-" * 12
        size = human_bytes(file.pointer.size) if file.pointer else ""
        show(f"{oid} {mark} {size:>8}  {file.path}")
    return 0
