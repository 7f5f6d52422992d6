"""`git lepton fetch [REMOTE] [REF...] [--all]`."""

from __future__ import annotations

from collections.abc import Sequence

from git_lepton.entry.arguments import add_json, parser, print_json
from git_lepton.entry.revisions import remote_and_revisions
from git_lepton.entry.terminal import counted, human_bytes, progress, say
from git_lepton.workflow.fetch import fetch_weights, pointers_of
from git_lepton.workflow.push import pointers_to_push
from git_lepton.workspace import open_workspace


def main(arguments: Sequence[str]) -> int:
    """Bring weights from the store into the local one; the work tree stays as it is."""
    command = parser("fetch", "Bring weights from the store. The work tree stays as it is; `git lepton checkout` writes it.")
    command.add_argument(
        "names", nargs="*", metavar="REMOTE|REF", help="a remote, then refs; the current version where none is given"
    )
    command.add_argument("--all", action="store_true", help="every version that any ref reaches")
    command.add_argument("--include", "-I", action="append", default=[], metavar="PATTERN", help="only these paths")
    command.add_argument("--exclude", "-X", action="append", default=[], metavar="PATTERN", help="not these paths")
    add_json(command)
    options = command.parse_args(arguments)
    with open_workspace() as workspace:
        git = workspace.git
        remote, revisions = remote_and_revisions(git, options.names)
        if options.all:
            found = pointers_to_push(git, list(dict.fromkeys(git.refs().values())), [])
        else:
            found = pointers_of(git, revisions, include=options.include, exclude=options.exclude)
        meter = progress("Downloading")
        pointers = [pointer for pointer, _ in found]
        got = fetch_weights(workspace.store, pointers, lambda lacking: workspace.fetch(lacking, meter, remote))
    objects, size = (got.objects, got.bytes_received) if got else (0, 0)
    if options.json:
        print_json({"objects": objects, "bytes_received": size, "known": len(pointers) - objects})
    else:
        say(f"brought {counted(objects, 'object')}, {human_bytes(size)}" if objects else _nothing_to_bring(len(pointers)))
    return 0


def _nothing_to_bring(count: int) -> str:
    if not count:
        return "nothing to bring: these versions and paths name no weights"
    return "nothing to bring: " + ("the object is here" if count == 1 else f"all {count} objects are here")
