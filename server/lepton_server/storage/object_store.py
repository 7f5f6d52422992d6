"""The store of packs: the interface, and what every implementation of it promises.

* A key is a relative path that the server made up (never a client's text); what lies under a key never changes.
* `begin(key)` takes bytes aside. Until `finish` returns nothing is visible under the key; when it returns the bytes are durable
  and visible, all of them. `abort` (or a process that dies) leaves nothing visible; both may be called again.
* `read` gives exactly the bytes asked for. It raises ObjectMissing where there is no such key and StoreTrouble where the bytes
  cannot be read or are fewer; a second try may help with the latter.
* `delete` of what is not there is no error.
* Where there is no room left: StoreFull, and what was begun leaves nothing behind once it is aborted. Where the store is out of reach or
  overloaded: StoreBusy, which says nothing of what lies in it.
* Where clients can send and fetch bytes themselves, by signed URLs, `direct` says how; elsewhere it is None.

All methods block and may be called from any thread; one `Incoming` belongs to one caller at a time.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from git_lepton.errors import NetworkTrouble


class StoreTrouble(NetworkTrouble):
    """The storage does not do what it should."""


class ObjectMissing(StoreTrouble):
    """Nothing is stored under this key."""


class StoreFull(StoreTrouble):
    """There is no room left."""


class StoreBusy(StoreTrouble):
    """The storage cannot be reached or has too much to do; later it may do the same."""


_PACK_KEY = re.compile(r"(t[0-9]+/)?[0-9a-f]{2}/[0-9a-f]+")  # without a tenant: as older versions made them


def new_key(tenant: int) -> str:
    """A key for a new pack, which nobody can guess and which says nothing of what is in it."""
    random = secrets.token_hex(16)
    return f"t{tenant}/{random[:2]}/{random}"


def is_pack_key(key: str) -> bool:
    """Whether a key is of the kind that packs have."""
    return _PACK_KEY.fullmatch(key) is not None


class Incoming(Protocol):
    """Bytes on their way to a key."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append."""

    def read(self, start: int, length: int) -> bytes:
        """Bytes that were written before."""

    def finish(self) -> None:
        """Make them durable and visible under the key."""

    def abort(self) -> None:
        """Drop them. Does nothing after `finish`."""


@dataclass(frozen=True)
class SignedUrl:
    """A URL that is good for one thing, with exactly these headers, for so many seconds."""

    url: str
    headers: dict[str, str]
    expires_in: int


class DirectTransfers(Protocol):
    """Signed URLs of the store's own. `checksum` names what an upload's offer must carry: "" or "sha256"."""

    checksum: str

    def upload(self, key: str, size: int, sha256: str, seconds: int) -> SignedUrl:
        """Where to PUT a new key, once: a second PUT is refused. `sha256` is hex."""

    def range(self, key: str, start: int, end: int, seconds: int) -> SignedUrl:
        """Where to GET these bytes (end exclusive), and no others."""


@dataclass(frozen=True)
class Probe:
    """What a trial found that a bucket does with signed URLs. `trouble` says in words what was not as it should be, "" for nothing.

    `reachable`: the endpoint that clients use answers. `once`: a second PUT to a key is refused. `headers_kept`: a PUT without the
    headers that were signed is refused. `ranges_kept`: a GET of another range than was signed is refused. `checksums_kept`: a PUT of
    other bytes than its checksum says is refused (where not, only the server's own check finds them). `conditions`: the server's own
    PUT may be conditional.
    """

    reachable: bool
    once: bool
    headers_kept: bool
    ranges_kept: bool
    checksums_kept: bool
    conditions: bool
    trouble: str = ""

    @property
    def trusted(self) -> bool:
        """Whether clients may be let to the bucket: nothing that was verified can be replaced, and nobody reads another's range."""
        return self.reachable and self.once and self.headers_kept and self.ranges_kept


class Readable(Protocol):
    """The part of a store that whoever only reads needs."""

    def read(self, key: str, start: int, length: int) -> bytes: ...

    def size(self, key: str) -> int: ...


class ObjectStore(Protocol):
    @property
    def direct(self) -> DirectTransfers | None:
        """How clients send and fetch bytes themselves, None where they cannot. May try the storage out at first.

        Raises WrongUse where the settings demand what it cannot do.
        """

    @property
    def probe(self) -> Probe | None:
        """What was found when the storage was tried out; None where that is not done, or not yet."""

    def begin(self, key: str) -> Incoming:
        """Take bytes for this new key."""

    def read(self, key: str, start: int, length: int) -> bytes:
        """`length` bytes from `start` on."""

    def blocks(self, key: str, start: int, length: int) -> AbstractContextManager[Iterator[bytes]]:
        """`length` bytes from `start` on, in blocks of a size that suits the store.

        Raises ObjectMissing at once if there is no such key.
        """

    def exists(self, key: str) -> bool: ...

    def size(self, key: str) -> int:
        """Bytes under a key. Raises ObjectMissing."""

    def keys(self) -> Iterator[str]:
        """Every key of a pack (`is_pack_key`) under which something is stored, or was a moment ago."""

    def keys_below(self, folder: str) -> Iterator[str]:
        """Every key FOLDER/NAME under which something is stored, or was a moment ago, in order."""

    def delete(self, key: str) -> None: ...


def put(store: ObjectStore, key: str, data: bytes) -> None:
    """Keep these bytes under a new key: durable and visible when this returns, or not there at all."""
    incoming = store.begin(key)
    try:
        incoming.write(data)
        incoming.finish()
    finally:
        incoming.abort()
