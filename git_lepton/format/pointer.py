"""The three-line text that git stores instead of a weight file (docs/format.md, section 1)."""

from __future__ import annotations

from git_lepton.errors import CorruptData, WrongUse
from git_lepton.format.identifiers import BadIdentifier, ObjectId

VERSION_LINE = b"version git-lepton/v1\n"
MAX_POINTER_BYTES = 1024  # no pointer of any version is longer; what is longer is never looked at
POINTER_SIZES = range(len(VERSION_LINE) + 83, len(VERSION_LINE) + 102)  # of one of v1: its size has 1 to 19 digits
_FAMILY = b"version git-lepton/"
_VERSION = b"v1"
_BEFORE_A_TEXT = b"\xef\xbb\xbf\xff\xfe \t\r\n"  # byte order marks of UTF-8 and UTF-16, white space
_MAX_SIZE = 2**63 - 1


class NotAPointer(CorruptData):
    """These bytes are ordinary content."""


class BadPointer(CorruptData):
    """These bytes claim to be a pointer of a known version and are not one."""


class UnknownPointerVersion(WrongUse):
    """A pointer of a version that this program does not know."""


class Pointer:
    """Names one object: its oid and its size in bytes (at least 1)."""

    __slots__ = ("oid", "size")

    def __init__(self, oid: ObjectId, size: int) -> None:
        if not 0 < size <= _MAX_SIZE:
            raise BadPointer(f"a pointer's size is 1 to 2^63-1, not {size}")
        self.oid = oid
        self.size = size

    def encode(self) -> bytes:
        return b"%soid sha256:%s\nsize %d\n" % (VERSION_LINE, self.oid.hex.encode(), self.size)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pointer) and (self.oid, self.size) == (other.oid, other.size)

    def __hash__(self) -> int:
        return hash((self.oid, self.size))

    def __repr__(self) -> str:
        return f"Pointer({self.oid}, {self.size})"


def claims_to_be_pointer(data: bytes) -> bool:
    """Whether these bytes begin as a pointer of any version does; a short text also where an editor or a shell has put a byte order
    mark or white space before it, or made two bytes of each letter."""
    return data.startswith(_FAMILY) or (len(data) <= MAX_POINTER_BYTES and undisguised(data).startswith(_FAMILY))


def undisguised(data: bytes) -> bytes:
    """A short text without what editors and shells put around it."""
    return data.replace(b"\0", b"").lstrip(_BEFORE_A_TEXT)


def is_pointer(data: bytes) -> bool:
    """Whether these bytes are exactly a pointer of a version that we know."""
    try:
        parse_pointer(data)
    except (NotAPointer, BadPointer, UnknownPointerVersion):
        return False
    return True


def parse_pointer(data: bytes) -> Pointer:
    """The pointer these bytes are. Raises NotAPointer, BadPointer or UnknownPointerVersion; `encode` gives them back."""
    if not claims_to_be_pointer(data) or len(data) > MAX_POINTER_BYTES:
        raise NotAPointer("this content is not a pointer")
    version = undisguised(data).split(b"\n", 1)[0][len(_FAMILY) :].strip()
    if version != _VERSION:
        raise UnknownPointerVersion(
            f"this pointer has version {version.decode('ascii', 'replace')!r}; this git-lepton knows v1",
            "Install a newer git-lepton: pip install --upgrade git-lepton",
        )
    try:
        oid_line, size_line, rest = data[len(VERSION_LINE) :].decode("ascii").split("\n")
        pointer = Pointer(ObjectId.parse(oid_line.removeprefix("oid ")), int(size_line.removeprefix("size ")))
    except (ValueError, BadIdentifier, BadPointer) as error:
        raise BadPointer("this pointer is damaged", "Take the file from another commit, or add the weights again.") from error
    if rest or pointer.encode() != data:
        raise BadPointer("this pointer is damaged", "Take the file from another commit, or add the weights again.")
    return pointer
