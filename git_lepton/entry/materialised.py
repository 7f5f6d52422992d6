"""Says what became of files that were to be written over their pointers, and which exit code that is."""

from __future__ import annotations

from git_lepton.entry.arguments import print_json
from git_lepton.entry.boundary import complain
from git_lepton.entry.terminal import counted, say
from git_lepton.workflow.materialise import Materialised

_NAMED = 5  # errors that are said in full


def report(done: Materialised, *, as_json: bool) -> int:
    """Print it. Returns 0, or the exit code of the first thing that went wrong."""
    trouble = [*done.failed.values(), *([done.index_trouble] if done.index_trouble else [])]
    if as_json:
        failed = {path: error.message for path, error in done.failed.items()}
        print_json({"written": done.written, "kept": done.kept, "failed": failed})
    elif done.written:
        say(f"wrote {counted(len(done.written), 'file')}")
    elif not trouble:
        say("no pointer had to be replaced; --force writes changed and deleted files again")
    for error in list({error.message: error for error in trouble}.values())[:_NAMED]:
        complain(error)
    if done.failed and not as_json:
        stay = "stays a pointer" if len(done.failed) == 1 else "stay pointers"
        say(f"{counted(len(done.failed), 'file')} {stay}: {', '.join(list(done.failed)[:_NAMED])}")
    return trouble[0].exit_code if trouble else 0
