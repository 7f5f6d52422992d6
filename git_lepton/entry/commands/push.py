"""`git lepton push [REMOTE] [REF...] [--all] [--dry-run] [--allow-base OWNER/REPO]`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial

from git_lepton.entry.arguments import add_json, parser, print_json
from git_lepton.entry.bills import numbers, table
from git_lepton.entry.revisions import remote_and_revisions
from git_lepton.entry.terminal import counted, human_bytes, progress, say, show
from git_lepton.entry.told_bases import tell_bases
from git_lepton.entry.uncovered import warn_of_push
from git_lepton.errors import WeightsMissing
from git_lepton.git.repository import GitRepository
from git_lepton.settings.base_consent import allowed_bases, base_name
from git_lepton.store.accounting import Bill
from git_lepton.workflow.sync.push import base_sources, pointers_to_push, push_weights
from git_lepton.workflow.sync.push_estimate import Parcel, estimate, stays_away
from git_lepton.workspace import open_workspace


def main(arguments: Sequence[str]) -> int:
    """Send the weights that versions need and the store lacks. No ref moves: that is `git push`, which does this by itself."""
    command = parser(
        "push", "Send weights that the store lacks. No ref moves; `git push` sends weights by itself and then moves refs."
    )
    command.add_argument("names", nargs="*", metavar="REMOTE|REF", help="a remote, then refs (default: HEAD)")
    command.add_argument("--all", action="store_true", help="every branch and tag")
    command.add_argument("--dry-run", "-n", action="store_true", help="only say what would be sent")
    command.add_argument(
        "--allow-base",
        action="append",
        default=[],
        metavar="OWNER/REPO",
        help="weights of that repository may be bases of what is sent, and so be read by all who may read where it goes",
    )
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
            absent = [pointer for pointer, _ in wanted if pointer.oid not in stored]
            gone = stays_away(workspace.store, workspace.taken_away(absent, remote, push=True)) if absent else set()
            parcels = estimate(workspace.store, [item for item in wanted if item[0].oid not in gone], stored)
            _report_plan(parcels, len(wanted), len(gone), as_json=options.json)
            return 0 if all(parcel.here for parcel in parcels) else WeightsMissing.exit_code
        known = list(git.refs(f"refs/remotes/{place.location.remote}/").values()) if place.location.remote else []
        allowed = [*allowed_bases(workspace.settings, place.location), *map(base_name, options.allow_base)]
        sources = base_sources(git, workspace.store, known, allowed)
        elsewhere = partial(workspace.fetch_elsewhere, progress=progress("Downloading"), than=place.location)
        uploaded = push_weights(workspace.store, place, wanted, progress("Uploading"), sources, elsewhere)
        warn_of_push(git, wanted, tips)
    tell_bases(uploaded, place.location)
    objects, sent = (uploaded.objects, uploaded.bytes_sent) if uploaded else (0, 0)
    taken = len(place.gone) + (uploaded.taken_away if uploaded else 0)
    if options.json:
        bases = [asdict(base) for base in uploaded.borrowed] if uploaded else []
        print_json(
            {"objects": objects, "bytes_sent": sent, "known": len(wanted) - objects - taken, "taken_away": taken, "bases": bases}
        )
    else:
        done = f"sent {counted(objects, 'object')}, {human_bytes(sent)}" if objects else _nothing_to_send(len(wanted), taken)
        say(done)
    return 0


def _head(git: GitRepository) -> list[str]:
    return ["HEAD"] if git.rev_parse("HEAD") else []  # before the first commit there is nothing to send


def _nothing_to_send(count: int, taken: int = 0) -> str:
    if taken:
        were = f"{taken} {'was' if taken == 1 else 'were'} taken away there"
        return f"nothing to send: the store has {count - taken} of {counted(count, 'object')}; {were}"
    return (
        f"nothing to send: the store has {'the object' if count == 1 else f'all {count} objects'}"
        if count
        else ("nothing to send: these versions name no weights")
    )


def _report_plan(parcels: Sequence[Parcel], wanted: int, taken: int, *, as_json: bool) -> None:
    bill = sum((parcel.bill for parcel in parcels), Bill())
    if as_json:
        files = [
            {"path": p.path, "oid": str(p.pointer.oid), "size": p.pointer.size, "here": p.here, **numbers(p.bill)}
            for p in parcels
        ]
        known = wanted - len(parcels) - taken
        print_json({"objects": len(parcels), "bytes_to_send": bill.stored, "known": known, "taken_away": taken, "files": files})
    elif parcels:
        say(f"would send {counted(len(parcels), 'object')}, at most {human_bytes(bill.stored)} of {human_bytes(bill.logical)}")
        lines = table(((parcel.bill, parcel.path, parcel.here) for parcel in parcels), "path")
        show(*lines)
        if taken:
            say(f"{counted(taken, 'object')} would not travel: taken away there")
        absent = [parcel.path for parcel in parcels if not parcel.here]
        if absent:
            say(f"the push would be refused: weights are neither here nor in the store: {', '.join(absent[:5])}")
    else:
        say(_nothing_to_send(wanted, taken))
