"""Snapshots: one version of a hosted repository's tree, read by git's smart HTTP protocol, without git and without history.

What speaks git is dulwich; what sends the requests is our own `Connection`, so that retries, credentials, proxies and errors
are the same
as everywhere. The tree and its small files are held in memory: the weights in it are pointers.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

from dulwich.client import AbstractHttpGitClient
from dulwich.errors import GitProtocolError, NotGitRepository
from dulwich.objects import Commit, Tag, Tree
from dulwich.repo import MemoryRepo

from git_lepton.errors import CorruptData, LeptonError, NetworkTrouble, WrongUse
from git_lepton.format.attributes.reading import AttributeReading
from git_lepton.format.pointer import (
    BadPointer,
    NotAPointer,
    Pointer,
    UnknownPointerVersion,
    claims_to_be_pointer,
    parse_pointer,
)
from git_lepton.transfer.http.refusals import AnswerTooLong
from git_lepton.transfer.pack_bounds import ensure_fits
from git_lepton.transfer.remote_store import RemoteStore

_VERSION = 0  # of git's protocol: the one that needs no header of its own; the server lets any commit be asked for
_MOST_OF_REFS = 64 * 1024 * 1024
_MOST_OF_OBJECTS = 512 * 1024 * 1024  # of a version's own files, as they travel: weights are none of them
_MOST_INFLATED = 1024 * 1024 * 1024  # of the same files
_MOST_PATHS = 1_000_000  # a tree may name one folder many times
_DEEPEST = 200  # folders in folders
_HEX = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


class UnknownVersion(WrongUse):
    """The repository has no branch, tag or commit of that name."""


class GitAnswerBroken(NetworkTrouble):
    """What the server said is not git's protocol."""


@dataclass(frozen=True)
class TreeFile:
    """One entry of a version: its path as git has it, git's mode, and the bytes it has in git (none for a submodule)."""

    path: bytes
    mode: int
    data: bytes


@dataclass(frozen=True)
class Snapshot:
    """A version: the commit's hex name and its entries in git's order."""

    commit: str
    files: tuple[TreeFile, ...]

    def tracked(self) -> set[bytes]:
        """The paths to which the version's own .gitattributes give filter=lepton, as git reads them in an index."""
        own = {file.path: file.data for file in self.files if stat.S_ISREG(file.mode)}
        return AttributeReading(own).paths_with(b"lepton", (file.path for file in self.files))

    def pointers(self, files: Iterable[TreeFile]) -> dict[bytes, Pointer]:
        """Those of these files that are pointers, by path. Paths may have any attributes: in somebody's work tree they are read otherwise.

        Raises BadPointer, UnknownPointerVersion for what claims to be one at a tracked path.
        """
        found = {}
        doubtful: dict[bytes, LeptonError] = {}
        for file in files:
            if stat.S_ISREG(file.mode) and claims_to_be_pointer(file.data):
                try:
                    found[file.path] = parse_pointer(file.data)
                except NotAPointer:
                    continue
                except (BadPointer, UnknownPointerVersion) as error:
                    doubtful[file.path] = error
        if doubtful and (ours := self.tracked() & doubtful.keys()):
            raise doubtful[min(ours)]
        return found


def read_snapshot(remote: RemoteStore, revision: str) -> Snapshot:
    """The version that a branch, a tag, a whole commit name or HEAD names. Raises UnknownVersion, NetworkTrouble, NotAllowed."""
    client = _Client(remote)
    path = urlsplit(client.url).path
    try:
        refs = {name: value for name, value in client.get_refs(path, protocol_version=_VERSION).refs.items() if value is not None}
        wanted = _resolve(refs, revision, remote.repository)
        repository = MemoryRepo()
        client.fetch(path, repository, determine_wants=_Wants(wanted), depth=1, protocol_version=_VERSION)
        return _snapshot(repository, wanted)
    except AnswerTooLong as error:
        raise AnswerTooLong(
            f"{remote.connection.host} sends more for a version of {remote.repository} than fits in memory",
            "Clone it with git instead.",
        ) from error
    except (GitProtocolError, NotGitRepository, KeyError, ValueError, AssertionError) as error:
        if "not our ref" in str(error):
            raise UnknownVersion(f"{remote.repository} has no commit {revision}") from error
        host = remote.connection.host
        raise GitAnswerBroken(
            f"{host} did not answer as git does: {error or type(error).__name__}", "Try again; then tell who runs it."
        ) from error


def _resolve(refs: dict[Any, Any], revision: str, repository: str) -> Any:
    name = revision.encode()
    for candidate in (name, b"refs/" + name, b"refs/tags/" + name, b"refs/heads/" + name):
        if candidate in refs and (candidate == b"HEAD" or candidate.startswith(b"refs/")):
            return refs.get(candidate + b"^{}", refs[candidate])
    if _HEX.fullmatch(revision) and revision.strip("0"):
        return name
    if revision == "HEAD":
        raise UnknownVersion(f"{repository} has no commits on its default branch yet")
    raise UnknownVersion(f"{repository} has no branch or tag {revision!r}", "A commit is named by all of its hex digits.")


def _snapshot(repository: MemoryRepo, wanted: bytes) -> Snapshot:
    store = repository.object_store
    found = store[wanted]  # type: ignore[index]  # dulwich types only its own ids, which are bytes
    while isinstance(found, Tag):
        found = store[found.object[1]]
    if not isinstance(found, Commit):
        raise UnknownVersion(f"{wanted.decode()} is not a commit")
    return Snapshot(found.id.decode(), tuple(_bounded(_walk(store, found.tree, b""))))


def _bounded(files: Iterable[TreeFile]) -> Iterator[TreeFile]:
    for number, file in enumerate(files):
        if number == _MOST_PATHS:
            raise AnswerTooLong("paths without end")
        yield file


def _walk(store: Any, tree: Any, prefix: bytes) -> Iterator[TreeFile]:
    if prefix.count(b"/") > _DEEPEST:
        raise AnswerTooLong("folders in folders without end")
    found = store[tree]
    if not isinstance(found, Tree):
        raise CorruptData(f"{tree.decode()} should be a tree")
    for name, mode, entry in found.iteritems():
        path = prefix + name
        if mode == 0o040000:
            yield from _walk(store, entry, path + b"/")
        else:
            yield TreeFile(path, mode, b"" if mode == 0o160000 else store[entry].as_raw_string())


class _Client(AbstractHttpGitClient):
    """dulwich's client with our connection under it."""

    def __init__(self, remote: RemoteStore) -> None:
        self._remote = remote
        self.url = f"{remote.connection.base_url}/{remote.repository}.git"
        super().__init__(base_url=remote.connection.base_url, quiet=True)

    def fetch_pack(
        self,
        path: str | bytes,
        determine_wants: Any,
        graph_walker: Any,
        pack_data: Callable[[bytes], int],
        *more: Any,
        **named: Any,
    ) -> Any:
        """As dulwich does it; what inflates to more than a version may have is not passed on."""
        pack = BytesIO()
        result = super().fetch_pack(path, determine_wants, graph_walker, pack.write, *more, **named)
        if pack.tell():
            ensure_fits(pack.getbuffer(), _MOST_INFLATED, 32 if result.object_format == "sha256" else 20)
            pack_data(pack.getvalue())
        return result

    def _http_request(
        self,
        url: str,
        headers: dict[str, str] | None = None,
        data: Any = None,
        raise_for_status: bool = True,  # noqa: ARG002 - dulwich names it; our connection raises anyway
    ) -> tuple[Any, Callable[[int], bytes]]:
        body = b"" if data is None else data if isinstance(data, bytes) else b"".join(data)
        connection = self._remote.connection
        reply = connection.request(
            "GET" if data is None else "POST",
            url.removeprefix(connection.base_url),
            asked=f"repository {self._remote.repository}",
            body=body,
            content_type=(headers or {}).get("Content-Type", ""),
            most=_MOST_OF_REFS if data is None else _MOST_OF_OBJECTS,
        )
        answer = _Answer(reply.headers.get("Content-Type"), reply.body)
        return answer, answer.read


class _Wants:
    """Asks for one object, whatever the refs are."""

    def __init__(self, wanted: Any) -> None:
        self._wanted = wanted

    def __call__(self, refs: Mapping[Any, Any], depth: int | None = None) -> list[Any]:  # noqa: ARG002 - what dulwich calls
        return [self._wanted]


class _Answer:
    """What dulwich expects of an answer."""

    redirect_location = ""

    def __init__(self, content_type: str | None, body: bytes) -> None:
        self.content_type = content_type
        self._body = BytesIO(body)

    def read(self, count: int = -1) -> bytes:
        return self._body.read(count)

    def close(self) -> None:
        """Nothing is open."""
