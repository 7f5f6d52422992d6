"""`git lepton push [REMOTE] [REF...] [--all] [--dry-run]`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from git_lepton.entry.arguments import add_json, parser, print_json
from git_lepton.entry.bills import numbers, table
from git_lepton.entry.revisions import remote_and_revisions
from git_lepton.entry.terminal import counted, human_bytes, progress, say
from git_lepton.errors import WeightsMissing
from git_lepton.git.repository import GitRepository
from git_lepton.store.accounting import Bill
from git_lepton.workflow.push import pointers_to_push, push_weights
from git_lepton.workflow.push_estimate import Parcel, estimate
from git_lepton.workspace import open_workspace


def main(arguments: Sequence[str]) -> int:
    """Send the weights that versions need and the store lacks. No ref moves: that is `git push`, which does this by itself."""
    command = parser(
        "push", "Send weights that the store lacks. No ref moves; `git push` sends weights by itself and then moves refs."
    )
    command.add_argument("names", nargs="*", metavar="REMOTE|REF", help="a remote, then refs; HEAD where none is given")
    command.add_argument("--all", action="store_true", help="every branch and tag")
    command.add_argument("--dry-run", "-n", action="store_true", help="only say what would be sent")
    add_json(command)
    options = command.parse_args(arguments)
    with open_workspace() as workspace:
        git = workspace.git
        remote, revisions = remote_and_revisions(git, options.names)
        tips = list(dict.fromkeys(git.refs("refs/heads", "refs/tags").values())) if options.all else revisions or _head(git)
        wanted = pointers_to_push(git, tips, []) if tips else []
        place = workspace.destination(remote)
        if options.dry_run:
            stored = place.stored([pointer for pointer, _ in wanted]) if wanted else set()
            parcels = estimate(workspace.store, wanted, stored)
            _report_plan(parcels, len(wanted), as_json=options.json)
            return 0 if all(parcel.here for parcel in parcels) else WeightsMissing.exit_code
        uploaded = push_weights(git, workspace.store, place, wanted, tips, progress("Uploading"))
    objects, sent = (uploaded.objects, uploaded.bytes_sent) if uploaded else (0, 0)
    if options.json:
        print_json({"objects": objects, "bytes_sent": sent, "known": len(wanted) - objects})
    else:
        done = f"sent {counted(objects, 'object')}, {human_bytes(sent)}" if objects else _nothing_to_send(len(wanted))
        say(done)
    return 0


def _head(git: GitRepository) -> list[str]:
    return ["HEAD"] if git.rev_parse("HEAD") else []  # before the first commit there is nothing to send


def _nothing_to_send(count: int) -> str:
    return (
        f"nothing to send: the store has {'the object' if count == 1 else f'all {count} objects'}"
        if count
        else ("nothing to send: these versions name no weights")
    )


def _report_plan(parcels: Sequence[Parcel], wanted: int, *, as_json: bool) -> None:
    bill = sum((parcel.bill for parcel in parcels), Bill())
    if as_json:
        files = [
            {"path": p.path, "oid": str(p.pointer.oid), "size": p.pointer.size, "here": p.here, **numbers(p.bill)}
            for p in parcels
        ]
        print_json({"objects": len(parcels), "bytes_to_send": bill.stored, "known": wanted - len(parcels), "files": files})
    elif parcels:
        say(f"would send {counted(len(parcels), 'object')}, at most {human_bytes(bill.stored)} of {human_bytes(bill.logical)}")
        lines = table(((parcel.bill, parcel.path, parcel.here) for parcel in parcels), "path")
        sys.stdout.write("".join(f"{line}\n" for line in lines))
        absent = [parcel.path for parcel in parcels if not parcel.here]
        if absent:
            say(f"the push would be refused: weights are neither here nor in the store: {', '.join(absent[:5])}")
    else:
        say(_nothing_to_send(wanted))
