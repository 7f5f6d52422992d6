"""`git lepton pull [REMOTE]`."""

from __future__ import annotations

from collections.abc import Sequence

from git_lepton.entry.arguments import add_json, parser
from git_lepton.entry.boundary import complain
from git_lepton.entry.materialised import report
from git_lepton.entry.revisions import UnknownRevision, remote_and_revisions
from git_lepton.entry.terminal import progress, say
from git_lepton.entry.uncovered import warn_of_index
from git_lepton.errors import LeptonError
from git_lepton.format.globs import path_chooser
from git_lepton.git.configuration import is_configured
from git_lepton.workflow.checkout.checkout import pointers_in_index
from git_lepton.workflow.checkout.materialise import materialise
from git_lepton.workflow.setup.install import ensure_installed
from git_lepton.workflow.setup.push_guard import ensure_guarded, unguarded
from git_lepton.workflow.sync.coverage import UncoveredPointers, ensure_covered
from git_lepton.workflow.sync.fetch import fetch_weights
from git_lepton.workflow.sync.unfinished import ensure_checked_out
from git_lepton.workspace import open_workspace


def main(arguments: Sequence[str]) -> int:
    """Bring the weights of the checked-out version and write them over their pointers."""
    command = parser("pull", "Bring the weights of the checked-out version, and write the files over their pointers.")
    command.add_argument("remote", nargs="?", metavar="REMOTE")
    command.add_argument("--include", "-I", action="append", default=[], metavar="PATTERN", help="only these paths")
    command.add_argument("--exclude", "-X", action="append", default=[], metavar="PATTERN", help="not these paths")
    add_json(command)
    options = command.parse_args(arguments)
    with open_workspace() as workspace:
        if options.remote and remote_and_revisions(workspace.git, [options.remote])[1]:
            raise UnknownRevision(f"{options.remote!r} is a version, and pull takes a remote", "git switch, then git lepton pull")
        if not is_configured(workspace.git):  # else git takes the files for changes, and `git commit -a` for ordinary files
            for sentence in ensure_installed(workspace.git):
                say(sentence)
        ensure_guarded(workspace)
        if missing := unguarded(workspace):
            complain(missing)
        ensure_checked_out(workspace.git)
        unreadable: dict[str, LeptonError] = {}
        files = pointers_in_index(workspace.git, include=options.include, exclude=options.exclude, unreadable=unreadable)
        if options.remote:
            needed = list(dict.fromkeys(files.values()))
            fetch_weights(workspace.store, needed, lambda ps: workspace.fetch(ps, progress("Downloading"), options.remote))
        done = materialise(workspace, files, progress)
        done.failed.update(unreadable)
        code = report(workspace.git, done, as_json=options.json)
        warn_of_index(workspace.git, list(files))
        try:
            ensure_covered(workspace.git, path_chooser(options.include, options.exclude))
        except UncoveredPointers as error:
            if not options.json:
                raise
            complain(error)  # standard output has its one JSON value already
            code = error.exit_code
    return code
