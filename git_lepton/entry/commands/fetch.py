"""`git lepton fetch [REMOTE] [REF...] [--all]`."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import asdict

from git_lepton.entry.arguments import add_json, parser, print_json
from git_lepton.entry.boundary import complain
from git_lepton.entry.revisions import remote_and_revisions
from git_lepton.entry.terminal import counted, human_bytes, progress, say, warn
from git_lepton.errors import LeptonError
from git_lepton.git.promised import bring_small_files
from git_lepton.settings.models import names_unstaged_base
from git_lepton.store.chunk_store import StoreBusy
from git_lepton.transfer.progress import Progress
from git_lepton.workflow.bases.foreign import FetchedBases, fetch_bases
from git_lepton.workflow.sync.fetch import fetch_weights, pointers_of
from git_lepton.workflow.sync.push import pointers_to_push
from git_lepton.workspace import Workspace, open_workspace


def main(arguments: Sequence[str]) -> int:
    """Bring weights from the store into the local one, and the bases that models have in other repositories."""
    command = parser(
        "fetch",
        "Bring weights from the store, and the bases that lepton.toml names in other repositories of the same server. "
        "The work tree stays as it is; `git lepton checkout` writes it. What a sparse checkout leaves out comes with --include or --all.",
    )
    command.add_argument("names", nargs="*", metavar="REMOTE|REF", help="a remote, then refs (default: the current version)")
    command.add_argument("--all", action="store_true", help="every version that any ref reaches")
    command.add_argument("--include", "-I", action="append", default=[], metavar="PATTERN", help="only these paths")
    command.add_argument("--exclude", "-X", action="append", default=[], metavar="PATTERN", help="not these paths")
    add_json(command)
    options = command.parse_args(arguments)
    with open_workspace() as workspace:
        git = workspace.git
        unreadable: dict[str, LeptonError] = {}
        remote, revisions = remote_and_revisions(git, options.names, tracked=True)
        workspace.commit = next(iter(revisions), workspace.commit)
        if options.all:
            tips = list(dict.fromkeys(git.refs().values()))
            bring_small_files(git, tips)
            found = pointers_to_push(git, tips, [])
        else:
            found = pointers_of(git, revisions, include=options.include, exclude=options.exclude, unreadable=unreadable)
        meter = progress("Downloading")
        pointers = [pointer for pointer, _ in found]
        got = fetch_weights(workspace.store, pointers, lambda lacking: workspace.fetch(lacking, meter, remote))
        bases, trouble = _fetch_bases(workspace, meter, remote)
        unstaged = names_unstaged_base(git)
        cleared = _clear_damage(workspace) if got else 0
    objects, size = (got.objects, got.bytes_received) if got else (0, 0)
    if options.json:
        print_json({"objects": objects, "bytes_received": size, "known": len(pointers) - objects, "bases": asdict(bases)})
    else:
        say(f"brought {counted(objects, 'object')}, {human_bytes(size)}" if objects else _nothing_to_bring(len(pointers)))
        if cleared:
            say(f"cleared away {counted(cleared, 'damaged pack')}: all that it held is whole again")
        if bases.bases:
            what = (
                f"brought {counted(bases.objects, 'object')}, {human_bytes(bases.bytes_received)}"
                if bases.objects
                else "all here"
            )
            say(f"bases in other repositories: {what}")
    if unstaged:
        warn("lepton.toml names a base, but it is not staged: git add lepton.toml")
    for path, error in unreadable.items():
        warn(f"{path}: {error.message}")
    if trouble:
        complain(trouble)
    return trouble.exit_code if trouble else 0


def _fetch_bases(workspace: Workspace, meter: Progress, remote: str | None) -> tuple[FetchedBases, LeptonError | None]:
    """What weights need is here by now: what is wrong with bases is said after that."""
    try:
        return fetch_bases(workspace, meter, remote), None
    except LeptonError as error:
        return FetchedBases(), error


def _clear_damage(workspace: Workspace) -> int:
    """What was brought may be all that a damaged pack was still kept for."""
    from git_lepton.store.compaction import clear_damage

    with contextlib.suppress(StoreBusy):
        return len(clear_damage(workspace.store))
    return 0


def _nothing_to_bring(count: int) -> str:
    if not count:
        return "nothing to bring: these versions and paths name no weights"
    return "nothing to bring: " + ("the object is here" if count == 1 else f"all {count} objects are here")
