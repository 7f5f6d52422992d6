"""Reads one version of a hosted repository's tree by git's smart HTTP protocol, without git and without history.

What speaks git is dulwich; what sends the requests is our own `Connection`, so that retries, credentials, proxies and errors
are the same
as everywhere. The tree and its small files are held in memory: the weights in it are pointers.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

from dulwich.attrs import AttributeValue, Pattern, compile_gitattributes_patterns, match_path
from dulwich.client import AbstractHttpGitClient
from dulwich.errors import GitProtocolError, NotGitRepository
from dulwich.objects import Commit, Tag, Tree
from dulwich.repo import MemoryRepo

from git_lepton.errors import CorruptData, NetworkTrouble, WrongUse
from git_lepton.git.attributes import AttributeLine, parse_line
from git_lepton.transfer.remote_store import RemoteStore

_VERSION = 0  # of git's protocol: the one that needs no header of its own; the server lets any commit be asked for
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
        """The paths to which the version's own .gitattributes give filter=lepton."""
        own = [file for file in self.files if file.path.rpartition(b"/")[2] == b".gitattributes"]
        patterns = [pair for file in sorted(own, key=lambda file: file.path.count(b"/")) for pair in _patterns(file)]
        return {file.path for file in self.files if match_path(patterns, file.path).get(b"filter") == b"lepton"}


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
    except (GitProtocolError, NotGitRepository, KeyError, ValueError, AssertionError) as error:
        if "not our ref" in str(error):
            raise UnknownVersion(f"{remote.repository} has no commit {revision}") from error
        host = remote.connection.host
        raise GitAnswerBroken(
            f"{host} did not answer as git does: {error or type(error).__name__}", "Try again; then tell who runs it."
        ) from error


def _patterns(file: TreeFile) -> list[tuple[Pattern, Mapping[bytes, AttributeValue]]]:
    lines = [line for line in map(parse_line, file.data.splitlines()) if line]
    entries = [(os.fsencode(line.pattern), {b"filter": line.filter.encode()}) for line in lines if _sets_filter(line)]
    return compile_gitattributes_patterns(entries, file.path, file.path.rpartition(b"/")[0])


def _sets_filter(line: AttributeLine) -> bool:
    """Whether a line says anything about `filter`: a value, or by -filter and !filter that there is none."""
    return any(attribute.lstrip("-!").partition("=")[0] == "filter" for attribute in line.attributes)


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
    found = store[wanted]  # type: ignore[index]
    while isinstance(found, Tag):
        found = store[found.object[1]]
    if not isinstance(found, Commit):
        raise UnknownVersion(f"{wanted.decode()} is not a commit")
    return Snapshot(found.id.decode(), tuple(_walk(store, found.tree, b"")))


def _walk(store: Any, tree: Any, prefix: bytes) -> Iterator[TreeFile]:
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

    def _http_request(
        self,
        url: str,
        headers: dict[str, str] | None = None,
        data: Any = None,
        raise_for_status: bool = True,  # noqa: ARG002
    ) -> tuple[Any, Callable[[int], bytes]]:
        body = b"" if data is None else data if isinstance(data, bytes) else b"".join(data)
        connection = self._remote.connection
        reply = connection.request(
            "GET" if data is None else "POST",
            url.removeprefix(connection.base_url),
            asked=f"repository {self._remote.repository}",
            body=body,
            content_type=(headers or {}).get("Content-Type", ""),
        )
        answer = _Answer(reply.headers.get("Content-Type"), reply.body)
        return answer, answer.read


class _Wants:
    """Asks for one object, whatever the refs are."""

    def __init__(self, wanted: Any) -> None:
        self._wanted = wanted

    def __call__(self, refs: Mapping[Any, Any], depth: int | None = None) -> list[Any]:  # noqa: ARG002
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
