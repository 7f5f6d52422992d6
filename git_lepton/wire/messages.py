"""The JSON messages of the wire protocol as values, with one strict reader for all of them (docs/wire-protocol.md)."""

from __future__ import annotations

import types
import typing
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass
from typing import Any, TypeVar

from git_lepton.errors import CorruptData

Message = TypeVar("Message")


class BadMessage(CorruptData):
    """A message of the other side that is not what the protocol says."""


@dataclass(frozen=True)
class Capabilities:
    """What a server is and speaks. Anyone may ask."""

    server: str
    version: str
    protocol_min: int
    protocol_max: int
    codecs: list[int]
    max_pack_bytes: int
    client: str = "git-lepton>=0.1"  # what to install to talk to this server


@dataclass(frozen=True)
class Account:
    """Who the caller is, and what the token may do: its scopes, until when (milliseconds since 1970; None: for ever), and the
    repositories that it is limited to (None: no limit)."""

    name: str
    admin: bool
    scopes: list[str] = field(default_factory=list)
    expires: int | None = None
    repositories: list[str] | None = None


@dataclass(frozen=True)
class RepositoryInfo:
    """One repository: `kind` is hosted or external, `role` the caller's (reader, writer, maintainer, owner), `codecs` those
    allowed in it."""

    name: str
    kind: str
    visibility: str
    role: str
    codecs: list[int]
    default_branch: str | None


@dataclass(frozen=True)
class NewRepository:
    """Create a repository; asking again for what is there is no error."""

    kind: str = "hosted"
    visibility: str = "private"


@dataclass(frozen=True)
class Upload:
    """An open upload session. Unused for `expires_in` seconds it ends; what it had verified stays."""

    session: str
    codecs: list[int]
    max_pack_bytes: int
    expires_in: int
    upload_checksum: str = ""  # "sha256" where a ticket needs the pack's SHA-256
    warning: str = ""  # for the person who pushes: that the repository is nearly full


@dataclass(frozen=True)
class PackOffer:
    """A pack that the client is about to send. `sequence` counts from 0 in file order; sha256 is hex or empty."""

    pack: str
    size: int
    sequence: int
    sha256: str = ""


@dataclass(frozen=True)
class PackOffers:
    packs: list[PackOffer]


@dataclass(frozen=True)
class Ticket:
    """Where to PUT one pack, and with which headers. `confirm`: tell the server when it is there. No `url`: it is there already."""

    pack: str
    url: str
    headers: dict[str, str]
    confirm: bool
    expires_in: int


@dataclass(frozen=True)
class Tickets:
    tickets: list[Ticket]


@dataclass(frozen=True)
class UploadFailure:
    """Why one object or pack of an upload was refused. `subject` is an oid, a pack or a chunk in hex."""

    subject: str
    code: str
    message: str


@dataclass(frozen=True)
class NamedBase:
    """A repository OWNER/NAME whose chunks are to be bases of what is sent; `allowed`: also where fewer may read it than read the
    repository that is pushed to."""

    repository: str
    allowed: bool = False


@dataclass(frozen=True)
class NamedBases:
    bases: list[NamedBase]


@dataclass(frozen=True)
class UsableBases:
    """Those of the named repositories whose chunks may be bases, as they were named."""

    repositories: list[str]


@dataclass(frozen=True)
class Borrowed:
    """Chunks (and their raw bytes) that a repository holds only as bases, and where they come from ("" where the asker may not know).
    `allowed`: the pusher had to allow it; `narrower`: now not all who may read the repository may read the source."""

    repository: str
    chunks: int
    bytes: int
    allowed: bool
    narrower: bool = False


@dataclass(frozen=True)
class BorrowedList:
    bases: list[Borrowed]


@dataclass(frozen=True)
class UploadState:
    """`state` is open, verifying, done or failed; the byte counts are raw bytes of the session's objects. `bases`, once it has ended:
    what it linked that it neither brought nor named as a file's."""

    state: str
    verified_bytes: int
    total_bytes: int
    failures: list[UploadFailure] = field(default_factory=list)
    bases: list[Borrowed] = field(default_factory=list)


@dataclass(frozen=True)
class PlannedPack:
    pack: str
    size: int


@dataclass(frozen=True)
class Plan:
    """How to fetch chunks. `entries` are [pack index, offset of the payload, stored length, raw length, codec, depth, XXH3 of the
    payload, base] in the order asked for, then the bases that were not asked for; `base` is an index into `entries` or -1. `extra`
    names those further chunks in hex, `missing` holds indices into the request that this repository does not have."""

    packs: list[PlannedPack]
    entries: list[list[int]]
    extra: list[str]
    missing: list[int]


@dataclass(frozen=True)
class RangeRequest:
    """Bytes start (inclusive) to end (exclusive) of a pack: payloads, with the headers between them, of chunks this repository may read."""

    pack: str
    start: int
    end: int


@dataclass(frozen=True)
class RangeRequests:
    ranges: list[RangeRequest]


@dataclass(frozen=True)
class RangeUrl:
    url: str
    headers: dict[str, str]
    expires_in: int


@dataclass(frozen=True)
class RangeUrls:
    urls: list[RangeUrl]


@dataclass(frozen=True)
class ErrorBody:
    """`code` is one of protocol.ERRORS; `hint` says what to do."""

    code: str
    message: str
    hint: str = ""
    request: str = ""


@dataclass(frozen=True)
class ErrorReply:
    error: ErrorBody


def to_json(message: Any) -> dict[str, Any]:
    """The JSON object of a message."""
    return asdict(message)


def from_json(kind: type[Message], value: object) -> Message:
    """The message that this JSON value is. Unknown keys are ignored; a missing one or one of a wrong type raises BadMessage."""
    return typing.cast(Message, _read(kind, value, kind.__name__))


def _read(kind: Any, value: object, where: str) -> Any:
    if isinstance(kind, type) and is_dataclass(kind):
        if not isinstance(value, dict):
            raise BadMessage(f"{where} should be a JSON object")
        hints = typing.get_type_hints(kind)
        known = {}
        for item in fields(kind):
            if item.name in value:
                known[item.name] = _read(hints[item.name], value[item.name], f"{where}.{item.name}")
            elif item.default is MISSING and item.default_factory is MISSING:
                raise BadMessage(f"{where} lacks {item.name!r}")
        return kind(**known)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is list and isinstance(value, list):
        return [_read(arguments[0], item, where) for item in value]
    if origin is dict and isinstance(value, dict):
        return {str(key): _read(arguments[1], item, where) for key, item in value.items()}
    if origin is types.UnionType:
        return None if value is None else _read(arguments[0], value, where)
    if isinstance(kind, type) and isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return value
    raise BadMessage(f"{where} has a value of a wrong type")
