"""The JSON messages about working together: rules, evidence, locks and shares (docs/wire-protocol.md). Times: milliseconds since 1970."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class RuleMessage:
    """What has to hold for the refs that `pattern` matches. Roles: writer, maintainer, owner, admin, nobody."""

    pattern: str
    push: str = "writer"
    force: str = "writer"
    evidence: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class RuleList:
    """`enforced`: whether pushes are held to them; not where git is hosted elsewhere."""

    rules: list[RuleMessage]
    enforced: bool = True


@dataclass(frozen=True)
class NewEvidence:
    """What a check said of one commit (its whole object name): passed or failed."""

    subject: str
    check: str
    outcome: str
    detail: str = ""


@dataclass(frozen=True)
class EvidenceRecord:
    """What a check said of a commit, who brought it, and when: milliseconds since 1970."""

    subject: str
    check: str
    outcome: str
    detail: str
    by: str
    at: int


@dataclass(frozen=True)
class EvidenceList:
    """The last record first."""

    records: list[EvidenceRecord]


@dataclass(frozen=True)
class NewLock:
    path: str


@dataclass(frozen=True)
class LockInfo:
    """`own`: it is the caller's. `enforced`: pushes that change the path are refused; else, where git is hosted elsewhere, it is advice."""

    id: int
    path: str
    owner: str
    at: int
    own: bool
    enforced: bool = True


@dataclass(frozen=True)
class LockList:
    locks: list[LockInfo]


@dataclass(frozen=True)
class FileOffer:
    """A file of one version: its path there, its SHA-256 in hex, its bytes."""

    path: str
    oid: str
    size: int


@dataclass(frozen=True)
class NewShare:
    """`revision` is what people are shown as the name of what is shared; `max_downloads` counts for each file, None: any number."""

    revision: str
    files: list[FileOffer]
    expires_in: int
    max_downloads: int | None = None


@dataclass(frozen=True)
class NewLink:
    """A share that was just made. Only now its link is known."""

    id: int
    url: str
    expires: int


@dataclass(frozen=True)
class ShareInfo:
    """A share as those see it who may make one. `downloads` are of all files together."""

    id: int
    revision: str
    by: str
    created: int
    expires: int
    max_downloads: int | None
    revoked: int | None
    files: int
    downloads: int


@dataclass(frozen=True)
class ShareList:
    shares: list[ShareInfo]


@dataclass(frozen=True)
class SharedFile:
    """A file behind a link. `left`: how many downloads may still begin, None for any number."""

    path: str
    oid: str
    size: int
    left: int | None


@dataclass(frozen=True)
class SharedFiles:
    """What whoever has a link is shown."""

    revision: str
    expires: int
    files: list[SharedFile]
