"""The probe of a bucket: what it does with signed URLs, tried out before any client is sent to it. A dozen small requests, whose objects
go again.

Signed headers that are not enforced would let a client replace a pack after it was verified, or read a range that is another's.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import urllib3
from botocore.exceptions import ClientError
from urllib3.exceptions import HTTPError

from lepton_server.storage.object_store import DirectTransfers, Probe, SignedUrl, StoreTrouble
from lepton_server.storage.s3.client import status_of, translated

_SECONDS = 60  # for which the URLs of a trial are good
_BODY = b"git-lepton tries out what this bucket does with signed URLs"
_WRONG = _BODY[::-1]
_REFUSED = {400, 403}
_TIMEOUT = urllib3.Timeout(connect=3, read=10)


class _Unreachable(Exception):
    """The address that clients use does not do what it should."""


def probe_bucket(client: Any, bucket: str, prefix: str, direct: DirectTransfers) -> Probe:
    """What the bucket does. Raises StoreTrouble where the server itself cannot use it now."""
    random = secrets.token_hex(8)
    keys = [f"probe/{random}-{name}" for name in ("own", "direct", "damaged")]
    try:
        return _Trial(client, bucket, prefix, direct, *keys).run()
    finally:
        for key in keys:
            with suppress(StoreTrouble), translated(bucket, key):
                client.delete_object(Bucket=bucket, Key=prefix + key)


class _Trial:
    def __init__(self, client: Any, bucket: str, prefix: str, direct: DirectTransfers, own: str, sent: str, damaged: str) -> None:
        self._client, self._bucket, self._prefix, self._direct = client, bucket, prefix, direct
        self._own, self._sent, self._damaged = own, sent, damaged
        self._http = urllib3.PoolManager(retries=False, timeout=_TIMEOUT, maxsize=2)
        self._trouble: list[str] = []

    def run(self) -> Probe:
        conditions = self._own_conditions()
        try:
            kept = self._signed_headers(), self._checksum()
            once = self._once()
            ranges = self._ranges()
        except _Unreachable as error:
            return Probe(False, False, False, False, False, conditions, str(error))
        finally:
            self._http.clear()
        return Probe(True, once, kept[0], ranges, kept[1], conditions, "; ".join(self._trouble))

    def _own_conditions(self) -> bool:
        """Whether a PUT of the server's own that may not replace anything is refused where there is something."""
        with translated(self._bucket, self._own):
            found = self._client.put_object(Bucket=self._bucket, Key=self._prefix + self._own, Body=_BODY)
            if found.get("VersionId", "null") != "null":
                self._trouble.append("it keeps old versions, so that what is deleted stays: set it to drop them after a day")
            try:
                self._client.put_object(Bucket=self._bucket, Key=self._prefix + self._own, Body=_BODY, IfNoneMatch="*")
            except ClientError as error:
                if status_of(error) in (412, 501):
                    return status_of(error) == 412
                raise
        return False

    def _signed_headers(self) -> bool:
        signed = self._upload(self._sent)
        bare = {name: value for name, value in signed.headers.items() if name.lower() != "if-none-match"}
        return self._holds(self._put(signed.url, bare, _BODY) in _REFUSED, "takes a PUT without the headers that were signed")

    def _checksum(self) -> bool:
        """A bucket that does not compare is good enough: all is verified after."""
        signed = self._upload(self._damaged)
        return self._put(signed.url, signed.headers, _WRONG) in _REFUSED

    def _once(self) -> bool:
        signed = self._upload(self._sent)
        status = self._put(signed.url, signed.headers, _BODY)
        if status == 412 and self._trouble:  # it took the one that it should have refused
            return False
        if status not in (200, 201, 204):
            raise _Unreachable(f"where clients reach the bucket it does not take a signed PUT (status {status})")
        return self._holds(self._put(signed.url, signed.headers, _BODY) == 412, "lets a signed PUT replace what is stored")

    def _ranges(self) -> bool:
        signed = self._direct.range(self._sent, 4, 9, _SECONDS)
        status, body = self._get(signed.url, signed.headers)
        if (status, body) != (206, _BODY[4:9]):
            raise _Unreachable(f"where clients reach the bucket it does not give a signed range (status {status})")
        others = self._get(signed.url, {"Range": "bytes=0-9"})[0], self._get(signed.url, {})[0]
        return self._holds(all(status in _REFUSED for status in others), "gives other ranges than the one that was signed")

    def _upload(self, key: str) -> SignedUrl:
        return self._direct.upload(key, len(_BODY), hashlib.sha256(_BODY).hexdigest(), _SECONDS)

    def _holds(self, is_right: bool, what_else: str) -> bool:
        if not is_right:
            self._trouble.append(f"it {what_else}")
        return is_right

    def _put(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        return self._ask("PUT", url, headers, body)[0]

    def _get(self, url: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
        return self._ask("GET", url, headers, None)

    def _ask(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> tuple[int, bytes]:
        try:
            response = self._http.request(method, url, headers=headers, body=body, redirect=False)
        except HTTPError as error:
            raise _Unreachable(f"where clients reach the bucket nothing answers: {str(error)[:200]}") from error
        if response.status >= 500:
            raise StoreTrouble(f"the storage {self._bucket} is busy (status {response.status})")
        return response.status, response.data
