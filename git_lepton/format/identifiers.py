"""Names of content: each kind its own type, and none can be built from unchecked text.

An `ObjectId` is the SHA-256 of a whole file, a `ChunkId` the BLAKE3 of a chunk's raw bytes, a `PackId` the BLAKE3 of a pack's
record headers. All are 32 bytes (docs/format.md).
"""

from __future__ import annotations

from git_lepton.errors import CorruptData

_HEX_DIGITS = frozenset("0123456789abcdef")

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self


class BadIdentifier(CorruptData):
    """A text or a byte string that is no name of content."""


class Digest:
    """32 bytes that name content. Compares equal only to a digest of the same kind."""

    __slots__ = ("raw",)
    raw: bytes

    def __init__(self, raw: bytes) -> None:
        if len(raw) != 32:
            raise BadIdentifier(f"a digest has 32 bytes, this one {len(raw)}")
        self.raw = bytes(raw)

    @classmethod
    def parse_hex(cls, text: str) -> Self:
        """The digest written as 64 lower-case hex digits. Raises BadIdentifier for anything else."""
        if len(text) != 64 or not _HEX_DIGITS.issuperset(text):
            raise BadIdentifier(f"{text[:80]!r} is not a digest of 64 lower-case hex digits")
        return cls(bytes.fromhex(text))

    @property
    def hex(self) -> str:
        return self.raw.hex()

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.raw == self.raw

    def __lt__(self, other: Digest) -> bool:
        return self.raw < other.raw

    def __hash__(self) -> int:
        return hash(self.raw)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.raw.hex()})"


class ObjectId(Digest):
    """The SHA-256 of one whole tracked file; written `sha256:<hex>`."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> ObjectId:
        """Read `sha256:<hex>`. Raises BadIdentifier."""
        kind, _, digits = text.partition(":")
        if kind != "sha256":
            raise BadIdentifier(f"{text[:80]!r} is not an oid of the form sha256:<hex>")
        return cls.parse_hex(digits)

    def __str__(self) -> str:
        return f"sha256:{self.raw.hex()}"


class ChunkId(Digest):
    """The BLAKE3 of a chunk's raw bytes."""

    __slots__ = ()

    @classmethod
    def of(cls, data: bytes | bytearray | memoryview) -> ChunkId:
        """The name of these raw bytes."""
        from blake3 import blake3  # compiled, and not needed by a filter that meets no weights

        return cls(blake3(data).digest())

    def __str__(self) -> str:
        return self.raw.hex()


class PackId(Digest):
    """The BLAKE3 of a pack's record headers, in order."""

    __slots__ = ()

    def __str__(self) -> str:
        return self.raw.hex()
