"""`git lepton pre-push REMOTE URL`: the hook that sends the weights of a push to an ordinary git remote."""

from __future__ import annotations

import sys
from functools import partial

from git_lepton.entry.terminal import ProgressLine, say, warn
from git_lepton.entry.told_bases import tell_bases
from git_lepton.entry.uncovered import warn_of_push
from git_lepton.errors import LeptonError, NetworkTrouble, WeightsMissing
from git_lepton.git.repository import GitRepository
from git_lepton.settings import Settings
from git_lepton.settings.base_consent import allowed_bases
from git_lepton.workflow.sync.push import (
    base_sources,
    pointers_in_trees,
    pointers_to_push,
    push_earlier,
    push_weights,
    refuse_damaged,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from git_lepton.format.identifiers import ObjectId
    from git_lepton.format.pointer import Pointer
    from git_lepton.transfer.progress import Progress
    from git_lepton.transfer.push_bases import BaseSources
    from git_lepton.transfer.upload import Uploaded
    from git_lepton.workflow.sync.known_complete import KnownComplete
    from git_lepton.workspace import Workspace


class NowhereToPush(WeightsMissing):
    """The push brings pointers, and nothing says where their weights go."""


def main(arguments: Sequence[str]) -> int:
    """0 once all weights of the push are stored; raises LeptonErrors. git gives the refs on standard input."""
    lines = sys.stdin.buffer.read().decode("utf-8", "surrogateescape").splitlines()  # to its end, or git gets a broken pipe
    remote, url = (*arguments, "", "")[:2]
    code = judge_pushed(lines) if Settings(GitRepository()).value("gates") else 0
    if code:
        return code
    if url.startswith(("lepton::", "lepton://")):
        return 0  # the remote helper does it
    tips, excluded = refs_of(lines)
    if tips:
        send(remote or url, tips, excluded)
    return 0


def judge_pushed(lines: Sequence[str]) -> int:
    """The exit code of the first pushed commit whose models do not pass the gates of this stage; 0 where all do."""
    from git_lepton.entry.commands.gate import main as gate

    for line in lines:
        _, local, _, theirs = line.rsplit(" ", 3)
        if local.strip("0"):
            wanted = f"{theirs}...{local}" if GitRepository().present([theirs]) else local
            code = gate(["--stage", "push", wanted])
            if code:
                say("the push was held back; git push --no-verify pushes all the same")
                return code
    return 0


def refs_of(lines: Sequence[str]) -> tuple[list[str], list[str]]:
    """The commits that git is about to push, and those that the remote has, out of the hook's input."""
    tips, known = [], []
    for line in lines:
        _, local, _, theirs = line.rsplit(" ", 3)
        if local.strip("0"):  # all zeros: deleted
            tips.append(local)
        if theirs.strip("0"):
            known.append(theirs)
    return tips, known


def send(remote: str, tips: Sequence[str], known: Sequence[str]) -> None:
    """Send what these commits need: what they bring, and what stands in their trees, whoever brought it. Then what older versions need
    and this clone has: a push before the hook was here left it behind. Raises NowhereToPush, and what the transfer raises."""
    git = GitRepository()
    tracking = git.refs(f"refs/remotes/{remote}/")  # none where the remote has no name
    damaged: dict[str, str] = {}
    new = dict(pointers_to_push(git, tips, [*known, *tracking.values()], damaged=damaged))
    refuse_damaged(git, damaged, tips)
    standing = {pointer: path for pointer, path in pointers_in_trees(git, tips) if pointer not in new}
    if not (new or standing or (git.common_dir / "lepton").is_dir()):
        return  # weights are no business of this repository
    from git_lepton.workflow.sync.known_complete import KnownComplete
    from git_lepton.workspace import open_workspace

    with open_workspace() as workspace:
        try:
            destination = _Destination(workspace, remote)
        except LeptonError:
            if not (new or standing):
                return  # nothing of these versions needs a store
            raise
        record = KnownComplete(workspace.store.root, str(destination.location))
        try:
            _send_all(workspace, destination, new | standing, tips, record, [*known, *tracking.values()])
        except NetworkTrouble as error:
            if new or not standing.keys() <= dict(pointers_in_trees(git, record.commits())).keys():
                raise
            warn(f"whether the store still has the weights could not be asked: {error.message}")


def _send_all(
    workspace: Workspace,
    destination: _Destination,
    needed: dict[Pointer, str],
    tips: Sequence[str],
    record: KnownComplete,
    known: Sequence[str],
) -> None:
    git, store, progress = workspace.git, workspace.store, ProgressLine("Uploading weights")
    sources = base_sources(git, store, known, allowed_bases(workspace.settings, destination.location))
    if needed:
        workspace.commit = tips[0]
        elsewhere = partial(workspace.fetch_elsewhere, progress=ProgressLine("Downloading weights"), than=destination.location)
        uploaded = push_weights(store, destination, list(needed.items()), progress, sources, elsewhere)
        tell_bases(uploaded, destination.location)
        warn_of_push(git, needed.items(), tips)
    reached = pointers_to_push(git, tips, record.commits(), old=True)
    earlier = [found for found in reached if found[0] not in needed]
    lost = push_earlier(store, destination, earlier, progress, base_sources(git, store, known))
    if lost:
        warn(_told(lost))
    else:
        record.add(tips)


def _told(lost: Sequence[tuple[Pointer, str]]) -> str:
    pointer, path = lost[0]
    more = f" and {len(lost) - 1} more" if lost[1:] else ""
    return (
        "older versions that were pushed before have weights that are neither on this machine nor in the store: "
        f"{path} ({pointer.oid}){more}; git lepton push where they are sends them"
    )


class _Destination:
    """The store beside a git remote."""

    def __init__(self, workspace: Workspace, remote: str) -> None:
        from git_lepton.settings.location import NoStore

        self._workspace, self._remote = workspace, remote
        try:
            self.location = workspace.location(remote, push=True)
        except NoStore as error:
            raise NowhereToPush(
                "this push brings pointers to weights, and nothing says where the weights go",
                "git config lepton.url https://HOST/OWNER/REPO, or in lepton.toml: [store] url",
            ) from error

    def stored(self, pointers: Sequence[Pointer]) -> set[ObjectId]:
        return self._workspace.stored(pointers, self._remote, push=True)

    def taken_away(self, pointers: Sequence[Pointer]) -> Collection[ObjectId]:
        return self._workspace.taken_away(pointers, self._remote, push=True)

    def push(self, pointers: Sequence[Pointer], progress: Progress, sources: BaseSources | None = None) -> Uploaded:
        return self._workspace.push(pointers, progress, self._remote, sources)
