"""Bytes of one object in S3 as they come; where the connection breaks the rest is asked for again, so that what is short is never taken
for whole."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from typing import Any

from botocore.exceptions import ClientError

from lepton_server.storage.object_store import StoreBusy, StoreTrouble
from lepton_server.storage.s3.client import code_of, translated

_BREAKS = 5  # in a row, nothing coming between
_FIRST_PAUSE = 0.1  # seconds; doubles
_CONTENT_RANGE = re.compile(r"bytes ([0-9]+)-([0-9]+)/([0-9]+)")


class RangeReader:
    """The bytes of `key` from `start` on, at most `length` (more than 0). `left` is what is still to come, fewer where the object ends
    before; `total` is its size, or less where it ends before `start`. Raises ObjectMissing, StoreBusy or StoreTrouble at once, and
    whenever it reads."""

    def __init__(self, client: Any, bucket: str, name: str, key: str, start: int, length: int) -> None:
        self._client, self._bucket, self._name, self._key = client, bucket, name, key
        self._at, self._end = start, start + length
        self._breaks = 0
        self._body: Any = None
        self.total = 0
        with translated(bucket, key):
            self._open()

    @property
    def left(self) -> int:
        return self._end - self._at

    def read(self, count: int) -> bytes:
        """The next `count` bytes, fewer only at the end."""
        parts, missing = [], min(count, self.left)
        while missing:
            try:
                with translated(self._bucket, self._key):
                    part = self._some(missing)
            except StoreBusy as error:
                self._broke(error)
                continue
            self._breaks = 0
            parts.append(part)
            missing -= len(part)
            self._at += len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def close(self) -> None:
        if self._body is not None:
            with suppress(Exception):  # it is of no use any more, however it ends
                self._body.close()

    def _some(self, most: int) -> bytes:
        if self._body is None:
            self._open()
        part = bytes(self._body.read(most))
        if not part:
            raise StoreBusy(f"the storage {self._bucket} broke off in the middle of {self._key}")
        return part

    def _broke(self, error: StoreBusy) -> None:
        self.close()
        self._body = None
        self._breaks += 1
        if self._breaks == _BREAKS:
            raise error
        time.sleep(_FIRST_PAUSE * 2.0 ** (self._breaks - 1))

    def _open(self) -> None:
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=self._name, Range=f"bytes={self._at}-{self._end - 1}")
        except ClientError as error:
            if code_of(error) not in ("InvalidRange", "416"):
                raise
            self._end = self.total = self._at  # the object ends before
            return
        found = _CONTENT_RANGE.fullmatch(answer.get("ContentRange", ""))
        first, last, total = map(int, found.groups()) if found else (-1, -1, -1)
        self._body = answer["Body"]
        if first != self._at or last != min(self._end, total) - 1 or answer["ContentLength"] != last + 1 - first:
            self.close()
            raise StoreTrouble(f"the storage {self._bucket} sends other bytes of {self._key} than were asked for")
        self._end, self.total = last + 1, total
