"""The report on files that were to be written over their pointers, and its exit code."""

from __future__ import annotations

from collections.abc import Sequence

from git_lepton.entry.arguments import print_json
from git_lepton.entry.boundary import complain
from git_lepton.entry.terminal import counted, say
from git_lepton.git.repository import GitRepository
from git_lepton.workflow.checkout.materialise import Materialised
from git_lepton.workflow.sync.status import changes

_NAMED = 5  # errors that are said in full


def report(git: GitRepository, done: Materialised, *, as_json: bool) -> int:
    """Print it. Returns 0, or the exit code of the first thing that went wrong."""
    trouble = [*done.failed.values(), *([done.index_trouble] if done.index_trouble else [])]
    if as_json:
        failed = {path: error.message for path, error in done.failed.items()}
        print_json({"written": done.written, "kept": done.kept, "failed": failed})
    elif done.written:
        say(f"wrote {counted(len(done.written), 'file')}")
    elif not trouble:
        say(_nothing_written(git, done.kept))
    for error in list({error.message: error for error in trouble}.values())[:_NAMED]:
        complain(error)
    if done.failed and not as_json:
        stay = "stays a pointer" if len(done.failed) == 1 else "stay pointers"
        say(f"{counted(len(done.failed), 'file')} {stay}: {', '.join(list(done.failed)[:_NAMED])}")
    return trouble[0].exit_code if trouble else 0


def _nothing_written(git: GitRepository, kept: Sequence[str]) -> str:
    changed = changes(git)
    if any(changed.get(path, "  ")[1] != " " for path in kept):
        return "no pointer had to be replaced; `git lepton checkout --force` writes changed and deleted files again"
    return "nothing to do: all weights are in place"
