"""`git lepton pre-push REMOTE URL`: the hook that sends the weights of a push to an ordinary git remote."""

from __future__ import annotations

import sys

from git_lepton.errors import WeightsMissing
from git_lepton.git.repository import GitRepository
from git_lepton.workflow.push import pointers_to_push, push_weights

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from git_lepton.format.identifiers import ObjectId
    from git_lepton.format.pointer import Pointer
    from git_lepton.transfer.progress import Progress
    from git_lepton.transfer.upload import Uploaded
    from git_lepton.workspace import Workspace


class NowhereToPush(WeightsMissing):
    """The push brings pointers, and nothing says where their weights go."""


def main(arguments: Sequence[str]) -> int:
    """0 once all weights of the push are stored; raises LeptonErrors. git gives the refs on standard input."""
    lines = sys.stdin.buffer.read().decode("utf-8", "surrogateescape").splitlines()  # to its end, or git gets a broken pipe
    remote, url = (*arguments, "", "")[:2]
    if url.startswith(("lepton::", "lepton://")):
        return 0  # the remote helper does it
    tips, excluded = refs_of(lines)
    if tips:
        send(remote or url, tips, excluded)
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
    """Send what these commits bring. Raises NowhereToPush, and what the transfer raises."""
    git = GitRepository()
    tracking = git.refs(f"refs/remotes/{remote}/")  # none where the remote has no name
    wanted = pointers_to_push(git, tips, [*known, *tracking.values()])
    if not wanted:
        return
    from git_lepton.entry.terminal import ProgressLine
    from git_lepton.workspace import open_workspace

    with open_workspace() as workspace:
        push_weights(git, workspace.store, _Destination(workspace, remote), wanted, tips, ProgressLine("Uploading weights"))


class _Destination:
    """The store beside a git remote."""

    def __init__(self, workspace: Workspace, remote: str) -> None:
        from git_lepton.settings.location import NoStore

        self._workspace, self._remote = workspace, remote
        try:
            workspace.settings.store_location(remote, push=True)
        except NoStore as error:
            raise NowhereToPush(
                "this push brings pointers to weights, and nothing says where the weights go",
                "git config lepton.url https://HOST/OWNER/REPO, or in lepton.toml: [store] url",
            ) from error

    def stored(self, pointers: Sequence[Pointer]) -> set[ObjectId]:
        return self._workspace.stored(pointers, self._remote)

    def taken_away(self, pointers: Sequence[Pointer]) -> Collection[ObjectId]:
        return self._workspace.taken_away(pointers, self._remote, push=True)

    def push(self, pointers: Sequence[Pointer], progress: Progress) -> Uploaded:
        return self._workspace.push(pointers, progress, self._remote)
