"""`git lepton prune [--dry-run] [--verify-remote]`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from git_lepton.entry.arguments import add_json, parser, print_json
from git_lepton.entry.terminal import counted, human_bytes, say
from git_lepton.workflow.upkeep.prune import prune
from git_lepton.workspace import open_workspace


def main(arguments: Sequence[str]) -> int:
    """Free disk space of weights that nothing here needs."""
    command = parser(
        "prune",
        "Forget weights that no ref, reflog, stash, index or worktree reaches. What was stored in the last five minutes stays.",
    )
    command.add_argument("--dry-run", "-n", action="store_true", help="only say what would go")
    command.add_argument(
        "--verify-remote",
        action="store_true",
        help="also forget pushed versions that are not checked out, after the store has said that it has them and that its refs reach them",
    )
    add_json(command)
    options = command.parse_args(arguments)
    with open_workspace() as workspace:
        result = prune(workspace, verify_remote=options.verify_remote, dry_run=options.dry_run)
    if options.json:
        print_json({**asdict(result), "dry_run": options.dry_run})
        return 0
    verb = "would free" if options.dry_run else "freed"
    freed = f"{verb} {human_bytes(result.pruned.bytes)}: {counted(result.pruned.objects, 'object')}"
    say(freed if result.pruned.objects else "nothing to forget")
    if result.cleared:
        say(f"cleared away {counted(result.cleared, 'damaged pack')}: all that is needed of it is whole")
    if result.kept:
        stay = "stays" if result.kept == 1 else "stay"
        say(
            f"{counted(result.kept, 'pushed object')} {stay}: no ref there reaches them now, or the store does not have everything"
        )
    return 0
