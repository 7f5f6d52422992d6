"""One repository on one server: a typed method for each request of docs/wire-protocol.md.

Lists are split to the protocol's limits. Every method may be called from any thread; it raises LeptonErrors, and what it says
beside them. Which request follows which is the business of `upload` and `download`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from git_lepton.errors import CorruptData
from git_lepton.format.identifiers import ChunkId, Digest, ObjectId
from git_lepton.format.manifest import Manifest, parse_manifest
from git_lepton.format.pack import MAX_DEPTH
from git_lepton.transfer.http.bodies import Body, Reply, Sent, Stream, body_length
from git_lepton.transfer.http.connection import Connection
from git_lepton.transfer.http.credentials import CredentialChain, GitCredentials
from git_lepton.transfer.http.hosts import host_of
from git_lepton.transfer.http.refusals import AlreadyThere, AnswerTooLong
from git_lepton.transfer.http.retries import Attempts, Patience
from git_lepton.wire import protocol
from git_lepton.wire.messages import (
    Account,
    Capabilities,
    NamedBase,
    NamedBases,
    NewRepository,
    PackOffer,
    PackOffers,
    Plan,
    RangeRequest,
    RangeRequests,
    RangeUrl,
    RangeUrls,
    RepositoryInfo,
    Ticket,
    Tickets,
    Upload,
    UploadState,
    UsableBases,
    to_json,
)

if TYPE_CHECKING:
    from git_lepton.settings import Settings
    from git_lepton.settings.location import StoreLocation

Name = TypeVar("Name", bound=Digest)
Item = TypeVar("Item")
# Those of coding.codec.RELEASED, without the weight of that module: most pushes bring nothing. A test compares.
DECODABLE = (0, 1, 2, 3, 4)
_PLANNED_AT_ONCE = 16_384  # chunks in one request for a plan: its answer is some 100 bytes for each


class BadAnswer(CorruptData):
    """The server's answer does not fit what was asked."""


class RemoteStore:
    """The repository `OWNER/NAME` on the server of `connection`. `streams`: how many bodies may travel at once."""

    def __init__(self, connection: Connection, repository: str, *, streams: int = 4) -> None:
        self.connection = connection
        self.repository = repository
        self.streams = streams

    def close(self) -> None:
        """Let go of open connections."""
        self.connection.close()

    # Server and repository

    def capabilities(self) -> Capabilities:
        return self.connection.capabilities()

    def account(self) -> Account:
        """Who the server takes us for."""
        return self.connection.request("GET", protocol.ACCOUNT, asked="account").message(Account)

    def information(self) -> RepositoryInfo:
        return self._ask("GET").message(RepositoryInfo)

    def create(self, repository: NewRepository) -> RepositoryInfo:
        """Make the repository, or join who made it before."""
        return self._ask("PUT", message=repository).message(RepositoryInfo)

    # Objects

    def check(self, oids: Sequence[ObjectId]) -> dict[ObjectId, int]:
        """For each oid protocol.MISSING, PENDING or STORED."""
        return self._states(oids, "objects", "check")

    def check_and_hear(self, oids: Sequence[ObjectId]) -> tuple[dict[ObjectId, int], bool]:
        """For each oid protocol.MISSING, PENDING or STORED; and whether some that are missing were taken away on the record."""
        return self._heard_states(oids, "objects", "check")

    def stored(self, oids: Sequence[ObjectId]) -> set[ObjectId]:
        """Those of these objects that are here, verified."""
        return {oid for oid, state in self.check(oids).items() if state == protocol.STORED}

    def manifests(self, oids: Sequence[ObjectId]) -> list[Manifest]:
        """The manifests of those of these objects that the repository has. Raises BadAnswer, BadManifest."""
        found = []
        for batch in _batches(oids, protocol.MAX_MANIFESTS):
            for oid, data in zip(batch, self._manifests(batch), strict=True):
                if data:
                    found.append(_checked(oid, parse_manifest(data)))
        return found

    def _manifests(self, oids: Sequence[ObjectId]) -> list[bytes]:
        """One text for each, "" for those that are not there; asked for in halves where they are too much for one answer."""
        most = protocol.MAX_MANIFESTS_BYTES + 4 * len(oids)
        try:
            body = self._ask("POST", "manifests", "read", body=_joined(oids), most=most).body
        except AnswerTooLong:
            if len(oids) == 1:
                raise
            middle = len(oids) // 2
            return self._manifests(oids[:middle]) + self._manifests(oids[middle:])
        return _framed(body, len(oids))

    # Upload

    def open_upload(self) -> Upload:
        return self._ask("POST", "uploads").message(Upload)

    def have(self, session: str, chunks: Sequence[ChunkId], *, as_bases: bool = False) -> dict[ChunkId, int]:
        """Those of these chunks that need not be sent (`as_bases`: that others which are sent may lie on), with the number of bases
        that each has there: a promise for as long as the session lasts."""
        asked = "have?bases=true" if as_bases else "have"
        states = self._states(chunks, "uploads", session, asked, most=protocol.STORED + MAX_DEPTH)
        return {name: state - protocol.STORED for name, state in states.items() if state >= protocol.STORED}

    def name_bases(self, session: str, bases: Sequence[NamedBase]) -> list[str]:
        """Those of these whose chunks may be bases in the session. Raises NotFound for a server that cannot tell."""
        found: list[str] = []
        for batch in _batches(bases, protocol.MAX_NAMED_BASES):
            reply = self._ask("POST", "uploads", session, "bases", message=NamedBases(list(batch)))
            found += reply.message(UsableBases).repositories
        return found

    def announce(self, session: str, manifest: Manifest) -> None:
        """Say which chunks an object consists of, before they come."""
        self._ask("PUT", "uploads", session, "manifests", manifest.oid.hex, body=manifest.encode())

    def announce_all(self, session: str, manifests: Sequence[Manifest]) -> None:
        """As `announce`, for many: several in a request, for each request is made durable there."""
        batch: list[bytes] = []
        held = 0
        for manifest in manifests:
            data = manifest.encode()
            if len(data) > protocol.MAX_ANNOUNCED_BYTES // 2:
                self.announce(session, manifest)
                continue
            if len(batch) == protocol.MAX_MANIFESTS or held + 4 + len(data) > protocol.MAX_ANNOUNCED_BYTES:
                self._announce_batch(session, batch)
                batch, held = [], 0
            batch.append(data)
            held += 4 + len(data)
        self._announce_batch(session, batch)

    def _announce_batch(self, session: str, batch: Sequence[bytes]) -> None:
        if batch:
            body = b"".join(part for data in batch for part in (len(data).to_bytes(4, "little"), data))
            self._ask("POST", "uploads", session, "manifests", body=body)

    def tickets(self, session: str, offers: Sequence[PackOffer]) -> list[Ticket]:
        """Where each of these packs goes."""
        found: list[Ticket] = []
        for batch in _batches(offers, protocol.MAX_TICKETS):
            reply = self._ask("POST", "uploads", session, "packs", message=PackOffers(list(batch)))
            tickets = reply.message(Tickets).tickets
            if [ticket.pack for ticket in tickets] != [offer.pack for offer in batch]:
                raise BadAnswer(f"{self.connection.host} gave tickets for other packs than were offered")
            found += tickets
        return found

    def put_pack(self, ticket: Ticket, body: Body, sent: Sent | None = None) -> None:
        """Send a pack, unless it is there by a request whose answer was lost. Raises UrlExpired, TooLarge, Refuted, StorageFull."""
        asked = f"pack {ticket.pack[:12]} of {self.repository}"
        try:
            self.connection.transfer("PUT", ticket.url, asked=asked, body=body, headers=ticket.headers, sent=sent)
        except AlreadyThere:  # whether it is that pack, whole, is seen when it is confirmed
            if sent:
                sent(body_length(body))

    def confirm(self, session: str, pack: str) -> None:
        """Tell the server that a pack is where its ticket said. Raises ChunksUnknown or Refuted where it has to be sent again."""
        self._ask("POST", "uploads", session, "packs", pack, "received")

    def commit(self, session: str) -> UploadState:
        return self._ask("POST", "uploads", session, "commit", most=protocol.MAX_LIST_BYTES).message(UploadState)

    def upload_state(self, session: str, wait: float = 0.0) -> UploadState:
        """How far an upload is; the server may hold its answer back for `wait` seconds while it verifies."""
        return self._ask("GET", "uploads", f"{session}?wait={wait:g}", most=protocol.MAX_LIST_BYTES).message(UploadState)

    # Download

    def plans(self, chunks: Sequence[ChunkId]) -> Iterator[tuple[Sequence[ChunkId], Plan]]:
        """How to fetch these chunks, in batches."""
        for batch in _batches(chunks, _PLANNED_AT_ONCE):
            most = protocol.MAX_MESSAGE_BYTES + len(batch) * (1 + MAX_DEPTH) * protocol.MAX_PLANNED_BYTES
            yield batch, self._ask("POST", "plan", body=_joined(batch), most=most).message(Plan)

    def range_urls(self, ranges: Sequence[RangeRequest]) -> list[RangeUrl]:
        """Where to get each of these ranges, for a short time."""
        found: list[RangeUrl] = []
        for batch in _batches(ranges, protocol.MAX_RANGES):
            most = protocol.MAX_MESSAGE_BYTES + len(batch) * protocol.MAX_URL_BYTES
            found += self._ask("POST", "urls", message=RangeRequests(list(batch)), most=most).message(RangeUrls).urls
        if len(found) != len(ranges):
            raise BadAnswer(f"{self.connection.host} gave {len(found)} addresses for {len(ranges)} ranges")
        return found

    def open_range(self, url: RangeUrl) -> AbstractContextManager[Stream]:
        """The bytes of a range as they come; tried once. Raises Transient, UrlExpired."""
        return self.connection.stream(url.url, asked=f"a part of {self.repository}", headers=url.headers)

    def attempts(self) -> Attempts:
        """How long to bear it when `open_range` breaks again and again."""
        return self.connection.attempts()

    def _ask(
        self, method: str, *parts: str, body: Body = b"", message: Any = None, most: int = protocol.MAX_MESSAGE_BYTES
    ) -> Reply:
        path = protocol.repository_path(self.repository, *parts)
        kind = protocol.BINARY if body else ""
        if message is not None:
            body, kind = json.dumps(to_json(message)).encode(), "application/json"
        asked = f"repository {self.repository}"
        return self.connection.request(method, path, asked=asked, body=body, content_type=kind, most=most)

    def _states(self, names: Sequence[Name], *parts: str, most: int = protocol.STORED) -> dict[Name, int]:
        return self._heard_states(names, *parts, most=most)[0]

    def _heard_states(self, names: Sequence[Name], *parts: str, most: int = protocol.STORED) -> tuple[dict[Name, int], bool]:
        found: dict[Name, int] = {}
        some_taken = False
        for batch in _batches(names, protocol.MAX_DIGESTS):
            reply = self._ask("POST", *parts, body=_joined(batch))
            body, some_taken = reply.body, some_taken or protocol.TOMBSTONES_HEADER in reply.headers
            if len(body) != len(batch) or max(body, default=0) > most:
                raise BadAnswer(f"{self.connection.host} answered {len(body)} bytes about {len(batch)} names")
            found.update(zip(batch, body, strict=True))
        return found, some_taken


def connect(location: StoreLocation, settings: Settings, patience: Patience | None = None) -> RemoteStore:
    """The repository that a location names, with git's settings for its host and the user's credentials for it."""
    token = settings.token if location.token_allowed else None
    chain = CredentialChain(
        token=token or "",
        token_host=host_of(location.url),
        username=location.username or "",
        password=location.password or "",
        git=GitCredentials(interactive=settings.interactive),
        netrc_file=_netrc(settings.environment.get("NETRC", "")),
    )
    connection = Connection(location.url, credentials=chain, network=settings.http, codecs=DECODABLE, patience=patience)
    return RemoteStore(connection, location.repository, streams=settings.concurrency)


def _netrc(named: str) -> Path | None:
    """The user's netrc file: the one of $NETRC, else .netrc (_netrc on Windows) at home; None if there is none."""
    candidates = [Path(named)] if named else [Path.home() / ".netrc", Path.home() / "_netrc"]
    return next((path for path in candidates if path.is_file()), None)


def _batches(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _joined(names: Iterable[Digest]) -> bytes:
    return protocol.join_digests([name.raw for name in names])


def _framed(body: bytes, count: int) -> list[bytes]:
    """The `count` texts of a body, each after its length in 4 bytes. Raises BadAnswer."""
    found, at = [], 0
    for _ in range(count):
        end = at + 4 + int.from_bytes(body[at : at + 4], "little")
        if end > len(body):
            break
        found.append(body[at + 4 : end])
        at = end
    if len(found) != count or at != len(body):
        raise BadAnswer("the server's list of manifests is cut short or too long")
    return found


def _checked(oid: ObjectId, manifest: Manifest) -> Manifest:
    if manifest.oid != oid:
        raise BadAnswer(f"the server gave the manifest of {manifest.oid} for {oid}")
    return manifest
