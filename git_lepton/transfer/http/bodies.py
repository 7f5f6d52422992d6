"""Bodies of requests and answers: in pieces, read and sent without copies."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from git_lepton.transfer.http.refusals import ADDRESS_HINT, NotALeptonServer, is_page, page_title
from git_lepton.transfer.http.retries import Transient
from git_lepton.wire.messages import BadMessage, from_json

Buffer = bytes | bytearray | memoryview
Body = bytes | Sequence[Buffer]
Sent = Callable[[int], None]
Message = TypeVar("Message")

SLICE_BYTES = 256 * 1024  # what one send call takes: small enough that a slow link moves it before a stall is suspected


@dataclass(frozen=True)
class Reply:
    """An answer below 400, read whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    host: str

    def message(self, kind: type[Message]) -> Message:
        """The JSON message of this kind that the body is. Raises NotALeptonServer."""
        try:
            return from_json(kind, json.loads(self.body))
        except (ValueError, BadMessage, RecursionError) as error:
            title = page_title(self.body)
            page = f" but with a web page{f', {title!r}' if title else ''}" if is_page(self.body) else ""
            raise NotALeptonServer(f"{self.host} did not answer as a lepton server does{page}", ADDRESS_HINT) from error


class Stream:
    """The body of one answer. `read_some(count)` gives what comes next of it, b"" at the end; `length` is in bytes, None where
    the sender did not tell it."""

    def __init__(self, read_some: Callable[[int], bytes], length: int | None) -> None:
        self._read_some = read_some
        self.length = length

    def read(self, count: int) -> bytes:
        """Exactly `count` bytes. Raises Transient where the body ends or stalls before."""
        parts, missing = [], count
        while missing:
            part = self._read_some(missing)
            if not part:
                raise Transient("stopped in the middle of an answer")
            parts.append(part)
            missing -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)


class Counted:
    """Cuts a body into slices and tells how much has been sent; `undo` takes it back when all must travel again."""

    def __init__(self, sent: Sent | None) -> None:
        self._sent = sent
        self._total = 0

    def slices(self, body: Body) -> Iterator[memoryview]:
        for buffer in [body] if isinstance(body, bytes) else body:
            view = memoryview(buffer)
            for start in range(0, len(view), SLICE_BYTES):
                piece = view[start : start + SLICE_BYTES]
                yield piece
                self._total += len(piece)
                if self._sent:
                    self._sent(len(piece))

    def undo(self) -> None:
        if self._sent and self._total:
            self._sent(-self._total)
        self._total = 0


def body_length(body: Body) -> int:
    """The bytes of a body."""
    return len(body) if isinstance(body, bytes) else sum(len(buffer) for buffer in body)
