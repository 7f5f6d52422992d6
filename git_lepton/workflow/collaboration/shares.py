"""`git lepton share`: a link to weights of one version for somebody without an account."""

from __future__ import annotations

import os
from dataclasses import replace
from shlex import quote
from typing import TYPE_CHECKING, NamedTuple

from git_lepton.errors import WrongUse
from git_lepton.format.globs import named_by
from git_lepton.format.identifiers import ObjectId
from git_lepton.format.pointer import NotAPointer, parse_pointer
from git_lepton.transfer.collaboration import Collaboration
from git_lepton.transfer.http.refusals import ChunksUnknown
from git_lepton.transfer.tombstones import taken_away, told
from git_lepton.wire.collaboration import FileOffer, NewLink, NewShare

if TYPE_CHECKING:
    from collections.abc import Collection

    from git_lepton.transfer.remote_store import RemoteStore
    from git_lepton.wire.collaboration import ShareInfo
    from git_lepton.workspace import Workspace


class NotAVersion(WrongUse):
    """What should be REV:PATH names no commit."""


class NothingToShare(WrongUse):
    """No weights of the version are at the path."""


class Shared(NamedTuple):
    """A link, and what it gives; `left_out` says of the other files of the version, by path, since when and why they are gone."""

    link: NewLink
    files: list[FileOffer]
    left_out: dict[str, str]


def share(
    workspace: Workspace, version: str, seconds: float, max_downloads: int | None = None, remote: str | None = None
) -> Shared:
    """A link to the weights that REV:PATH names (a file, a folder, a glob; all of REV where PATH is empty). Raises NotAVersion,
    NothingToShare, ChunksUnknown where they have not been pushed. What the server has taken away on the record is left out."""
    files = files_of(workspace, version)
    asked = NewShare(version.removesuffix(":"), files, max(1, round(seconds)), max_downloads)
    store = workspace.remote(remote, push=True)
    try:
        return Shared(Collaboration(store).share(asked), files, {})
    except ChunksUnknown:
        gone = _taken_away(store, files)
        if not gone:
            raise
    left = [file for file in files if file.path not in gone]
    if not left:
        path, why = next(iter(gone.items()))
        raise NothingToShare(f"{path} {why}", "Share another version.")
    return Shared(Collaboration(store).share(replace(asked, files=left)), left, gone)


def shares(workspace: Workspace, remote: str | None = None) -> list[ShareInfo]:
    """All shares of the repository, also those that have ended, the newest first."""
    return _server(workspace, remote).shares()


def revoke(workspace: Workspace, number: int, remote: str | None = None) -> None:
    """End a share. Raises NotFound, Forbidden."""
    _server(workspace, remote).revoke(number)


def files_of(workspace: Workspace, version: str) -> list[FileOffer]:
    """The weights that REV:PATH names, by path. Raises NotAVersion, NothingToShare."""
    revision, _, path = version.partition(":")
    commit = workspace.git.rev_parse(f"{revision}^{{commit}}") if revision else None
    if revision and commit is None:
        raise NotAVersion(f"there is no revision {revision}", "Name a branch, a tag or a commit: main:models/big.safetensors")
    if commit is None:
        raise NotAVersion(f"{version!r} is not REV:PATH", "Write main:models/big.safetensors, or main for all of its weights.")
    name = path.removeprefix("./").strip("/")
    weights = {}
    for blob in workspace.git.small_blobs_in_tree(commit):
        try:
            weights[blob.path] = parse_pointer(blob.data)
        except NotAPointer:
            continue
    named = named_by(name, weights) if name else list(weights)
    found = [FileOffer(path, weights[path].oid.hex, weights[path].size) for path in named]
    if not found:
        where = f"at {name} in {revision}" if name else f"in {revision}"
        raise NothingToShare(
            f"there are no weights {where}", f"git lepton ls-files, or git ls-tree -r --name-only {quote(revision)}"
        )
    return found


def ordinary_beside(workspace: Workspace, version: str, weights: Collection[str]) -> list[str]:
    """The files at REV:PATH that git itself keeps, which a link gives nobody: a model may not load without them. None beside a file.
    `weights`: the paths of the others."""
    revision, _, path = version.partition(":")
    name = path.removeprefix("./").strip("/")
    listed = os.fsdecode(workspace.git.run("ls-tree", "-r", "-z", "--name-only", "--full-tree", revision)).split("\0")[:-1]
    return [
        path
        for path in (named_by(name, listed) if name else listed)
        if path not in weights and not path.rpartition("/")[2].startswith(".git")
    ]


def _taken_away(remote: RemoteStore, files: list[FileOffer]) -> dict[str, str]:
    """What became of those files, by path, that the server has taken away."""
    oids = {ObjectId.parse_hex(file.oid) for file in files}
    stones = taken_away(remote, oids - remote.stored(list(oids)))
    gone = {oid.hex: told(stone) for oid, stone in stones.items()}
    return {file.path: gone[file.oid] for file in files if file.oid in gone}


def _server(workspace: Workspace, remote: str | None) -> Collaboration:
    return Collaboration(workspace.remote(remote, push=True))
