"""Direct access of clients to a bucket: by signed URLs, as far as a probe found that the bucket can be trusted with that.

The probe runs when the question first comes up. Where the bucket is out of reach then, bytes go through the server, and it is asked again
a moment later.
"""

from __future__ import annotations

import base64
import logging
import threading
import time
from collections.abc import Mapping
from typing import Any

from git_lepton.errors import WrongUse
from lepton_server.settings import S3Settings
from lepton_server.storage.object_store import Probe, SignedUrl, StoreTrouble
from lepton_server.storage.s3.client import make_client
from lepton_server.storage.s3.presigned_urls import UrlSigner, url_signer
from lepton_server.storage.s3.probe import probe_bucket

_log = logging.getLogger("lepton_server")
_AGAIN_SECONDS = 5.0


class DirectImpossible(WrongUse):
    """Clients were to reach a bucket themselves that cannot be trusted with it."""


class S3Direct:
    """Signed URLs for a bucket (the promises are those of `DirectTransfers`). `checksum` is "sha256" where the bucket compares it."""

    def __init__(self, signer: UrlSigner, s3: S3Settings, prefix: str, checksum: str) -> None:
        self._signer, self._prefix = signer, prefix
        self._encryption = encryption_headers(s3)
        self.checksum = checksum

    def upload(self, key: str, size: int, sha256: str, seconds: int) -> SignedUrl:
        headers = {"Content-Length": str(size), "If-None-Match": "*", **self._encryption}
        if sha256:
            headers["x-amz-checksum-sha256"] = base64.b64encode(bytes.fromhex(sha256)).decode()
        return self._signer.sign("PUT", self._prefix + key, headers, seconds)

    def range(self, key: str, start: int, end: int, seconds: int) -> SignedUrl:
        return self._signer.sign("GET", self._prefix + key, {"Range": f"bytes={start}-{end - 1}"}, seconds)


class DirectAccess:
    """Finds out, once, whether there is direct access to a bucket. Safe to use from any thread."""

    def __init__(self, client: Any, s3: S3Settings, bucket: str, prefix: str) -> None:
        self._client, self._s3, self._bucket, self._prefix = client, s3, bucket, prefix
        self._trying = threading.Lock()
        self._next_try = 0.0
        self._direct: S3Direct | None = None
        self.probe: Probe | None = None

    @property
    def direct(self) -> S3Direct | None:
        """Raises DirectImpossible."""
        if self._s3.direct == "never":
            return None
        if self.probe is None and time.monotonic() >= self._next_try and self._trying.acquire(blocking=False):
            try:
                self._try()
            finally:
                self._trying.release()
        return self._direct

    def _try(self) -> None:
        if self.probe is not None:  # somebody else just found out
            return
        signer = url_signer(make_client(self._s3, self._s3.public_endpoint), self._bucket)
        untold = S3Direct(signer, self._s3, self._prefix, "sha256")
        try:
            found = probe_bucket(self._client, self._bucket, self._prefix, untold)
        except StoreTrouble as error:
            self._next_try = time.monotonic() + _AGAIN_SECONDS
            _log.warning("the storage could not be tried out: %s", error.message)
            return
        if found.trusted:
            self._direct = S3Direct(signer, self._s3, self._prefix, "sha256" if found.checksums_kept else "")
        elif self._s3.direct == "always":
            raise DirectImpossible(
                f"clients cannot be sent to the bucket {self._bucket}: {found.trouble}",
                "Mend that, or start with --s3-direct auto: bytes then go through the server.",
            )
        if found.trouble:
            _log.warning("the bucket %s: %s", self._bucket, found.trouble)
        self.probe = found


def encryption_headers(s3: S3Settings) -> Mapping[str, str]:
    """What a client has to send, so that the bucket's server encrypts."""
    if not s3.encryption:
        return {}
    key = {"x-amz-server-side-encryption-aws-kms-key-id": s3.kms_key} if s3.kms_key else {}
    return {"x-amz-server-side-encryption": s3.encryption, **key}
