"""Where packs lie: the interface, and what every implementation of it promises.

* A key is a relative path that the server made up (never a client's text); what lies under a key never changes.
* `begin(key)` takes bytes aside. Until `finish` returns nothing is visible under the key; when it returns the bytes are durable
  and visible, all of them. `abort` (or a process that dies) leaves nothing visible; both may be called again.
* `read` gives exactly the bytes asked for. It raises ObjectMissing where there is no such key and StoreTrouble where the bytes
  cannot be read or are fewer; a second try may help with the latter.
* `delete` of what is not there is no error.
* Where there is no room left: StoreFull, and what was begun leaves nothing behind once it is aborted.

* Where clients can send and fetch bytes themselves, by signed URLs, `direct` says how; elsewhere it is None.

All methods block and may be called from any thread; one `Incoming` belongs to one caller at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from git_lepton.errors import LeptonError


class StoreTrouble(LeptonError):
    """The storage does not do what it should."""


class ObjectMissing(StoreTrouble):
    """Nothing is stored under this key."""


class StoreFull(StoreTrouble):
    """There is no room left."""


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


class ObjectStore(Protocol):
    @property
    def direct(self) -> DirectTransfers | None: ...

    def begin(self, key: str) -> Incoming:
        """Take bytes for this new key."""

    def read(self, key: str, start: int, length: int) -> bytes:
        """`length` bytes from `start` on."""

    def blocks(self, key: str, start: int, length: int) -> AbstractContextManager[Iterator[bytes]]:
        """The same bytes in blocks of a size that suits the store. Raises ObjectMissing at once if there is no such key."""

    def exists(self, key: str) -> bool: ...

    def size(self, key: str) -> int:
        """Bytes under a key. Raises ObjectMissing."""

    def keys(self) -> Iterator[str]:
        """Every key under which something is stored, or was a moment ago."""

    def delete(self, key: str) -> None: ...
