"""The JSON messages about what weights take, and how much they may (docs/wire-protocol.md). All sizes are bytes."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class BranchUsage:
    """Of the chunks that a branch reaches: bytes before coding, as stored, and as stored of those that no other branch or tag reaches."""

    branch: str
    files: int
    raw: int
    stored: int
    only: int


@dataclass(frozen=True)
class RepositoryUsage:
    """What a repository holds, counted as if it were the only one: its files, and its chunks, each once. `quota` is what it may store,
    None where that is not limited."""

    files: int
    file_bytes: int
    chunks: int
    raw: int
    stored: int
    quota: int | None = None
    branches: list[BranchUsage] = field(default_factory=list)


@dataclass(frozen=True)
class NewQuota:
    """`bytes` is what the repository may store from now on; None: as much as there is room for."""

    bytes: int | None
