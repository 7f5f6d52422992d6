"""The snapshot: the small text that is written last, and makes all that it names one backup."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any

from git_lepton.errors import CorruptData, WrongUse

FORMAT_VERSION = 1
_FORMAT = "git-lepton backup"


class BadSnapshot(CorruptData):
    """A part of a backup is damaged, or absent."""


class UnknownBackupVersion(WrongUse):
    """A backup of a version that this program does not know."""


@dataclass(frozen=True)
class Part:
    """Bytes of a backup, named by their SHA-256 (hex). `size` is in bytes."""

    sha256: str
    size: int


@dataclass(frozen=True)
class Listing:
    """Rows, as lines of JSON in the parts, in order. `columns` are their names."""

    columns: list[str]
    rows: int
    parts: list[Part]


@dataclass(frozen=True)
class Snapshot:
    """One backup. `server` is the identity of the server it is of, `schema` the version of its tables; times are milliseconds of its
    database's clock. `counts` are for people: repositories, objects, packs, pack_bytes, ..."""

    id: str
    server: str
    program: str
    schema: int
    started: int
    finished: int
    tables: dict[str, Listing]
    packs: Listing
    git: Listing
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def parts(self) -> set[Part]:
        """All that it names, but packs and the parts of git bundles."""
        return {part for listing in [*self.tables.values(), self.packs, self.git] for part in listing.parts}

    def encode(self) -> bytes:
        body = json.dumps({"format": _FORMAT, "version": FORMAT_VERSION, **asdict(self)}, sort_keys=True).encode() + b"\n"
        return body + hashlib.sha256(body).hexdigest().encode() + b"\n"


def parse_head(data: bytes) -> dict[str, Any]:
    """The JSON object in the first line. Raises BadSnapshot, or UnknownBackupVersion before anything else is looked at."""
    try:
        found = json.loads(data.partition(b"\n")[0])
    except ValueError:
        raise BadSnapshot("this is not the beginning of a backup") from None
    if not isinstance(found, dict) or found.get("format") != _FORMAT:
        raise BadSnapshot("this is not a backup of git-lepton")
    if found.get("version") != FORMAT_VERSION:
        raise UnknownBackupVersion(
            f"this backup has version {found.get('version')}; this lepton-server knows {FORMAT_VERSION}",
            "Use the newer lepton-server that wrote it.",
        )
    return found


def encode_head() -> bytes:
    """What an archive itself begins with: which format it is in."""
    return json.dumps({"format": _FORMAT, "version": FORMAT_VERSION}).encode() + b"\n"


def parse_snapshot(data: bytes) -> Snapshot:
    """The snapshot that these bytes are. Raises BadSnapshot, UnknownBackupVersion."""
    found = parse_head(data)
    body, _, check = data.rstrip(b"\n").rpartition(b"\n")
    if hashlib.sha256(body + b"\n").hexdigest().encode() != check:
        raise BadSnapshot("a snapshot of this backup is damaged: its checksum does not match")
    try:
        tables = {name: _listing(listing) for name, listing in found["tables"].items()}
        plain = {name: found[name] for name in ("id", "server", "program", "schema", "started", "finished", "counts")}
        return Snapshot(tables=tables, packs=_listing(found["packs"]), git=_listing(found["git"]), **plain)
    except (KeyError, TypeError, AttributeError):
        raise BadSnapshot("a snapshot of this backup lacks what version 1 has") from None


def _listing(found: dict[str, Any]) -> Listing:
    return Listing(list(found["columns"]), int(found["rows"]), [Part(**part) for part in found["parts"]])
