"""The JSON messages about evidence of versions of models (docs/wire-protocol.md, section 8). Names and digests: 64 hex digits. Times:
milliseconds since 1970."""

from __future__ import annotations

from dataclasses import dataclass, field

MAX_ASKED = 1_000  # digests of models, and of evaluations, in one request
MAX_FOUND = 5_000  # records that one answer names


@dataclass(frozen=True)
class WantedEvidence:
    """Records about any of these versions, made by any of these evaluations (none: by whichever). `after`: `next` of the last answer."""

    models: list[str]
    evaluations: list[str] = field(default_factory=list)
    after: int = 0


@dataclass(frozen=True)
class FoundRecord:
    """A record that the server keeps: its name, whose word it is (`by`, `at`) and how far that is trusted (self, ci), what it is about,
    and the SHA-256 of the environment class."""

    name: str
    trust: str
    by: str
    at: int
    model: str
    evaluation: str
    environment: str


@dataclass(frozen=True)
class FoundEvidence:
    """In the order in which they came. `next`: where to go on, None at the end."""

    records: list[FoundRecord]
    next: int | None = None


@dataclass(frozen=True)
class KeptRecord:
    """What is now kept under this name, and how far it is trusted."""

    name: str
    trust: str
