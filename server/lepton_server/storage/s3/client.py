"""Talking to S3 by boto3: one client with patience and limits, and what its errors mean.

botocore sends a request again by itself, up to three times with growing pauses, where the server is busy, breaks off, or cannot be
reached; what is left is translated here. Nobody outside sees an error of boto3's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError
from urllib3.exceptions import HTTPError

from git_lepton.errors import WrongUse
from lepton_server.settings import S3Settings
from lepton_server.storage.object_store import ObjectMissing, StoreBusy, StoreFull, StoreTrouble

_CONNECT_SECONDS, _READ_SECONDS = 5, 30
_TRIES = 4
_CONNECTIONS = 32
_MISSING = {"NoSuchKey", "404", "NotFound"}
_FULL = {"QuotaExceeded", "InsufficientStorage", "XMinioStorageFull", "XMinioBucketQuotaExceeded", "507"}
_DENIED = {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "AllAccessDisabled"}
_BUSY = {"SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "OperationAborted", "ConditionalRequestConflict"}
_ALL_BUSY = 409, 429  # statuses, beside those from 500 on


class BadStorageUrl(WrongUse):
    """What is given as --storage is no place in a bucket."""


def bucket_and_prefix(storage: str) -> tuple[str, str]:
    """The bucket of s3://BUCKET/PREFIX, and what its keys begin with ("" or with a slash at its end). Raises BadStorageUrl."""
    bucket, _, prefix = storage.removeprefix("s3://").partition("/")
    if not bucket or "//" in prefix or any(letter in storage for letter in "?#"):
        raise BadStorageUrl(f"{storage} is no place in a bucket", "Write --storage s3://BUCKET/PREFIX.")
    prefix = prefix.strip("/")
    return bucket, f"{prefix}/" if prefix else ""


def make_client(s3: S3Settings, endpoint: str = "") -> Any:
    """A client at this endpoint ("": the one of the settings). Safe to use from any thread. Raises WrongUse."""
    endpoint = endpoint or s3.endpoint
    config = Config(
        signature_version="s3v4",
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": _TRIES},
        max_pool_connections=_CONNECTIONS,
        tcp_keepalive=True,
        # Of an address of one's own the bucket's name may be no part; bodies are signed, which every S3 checks, also without TLS.
        s3={"addressing_style": "path" if endpoint else "auto", "payload_signing_enabled": True},
        request_checksum_calculation="when_required",  # others than Amazon's refuse, or keep, the frames of the default
        response_checksum_validation="when_required",
        user_agent_extra="git-lepton",
    )
    try:
        session = boto3.session.Session()
        region = s3.region or session.region_name or "us-east-1"
        return session.client("s3", endpoint_url=endpoint or None, region_name=region, config=config)
    except (ValueError, BotoCoreError) as error:
        raise WrongUse(f"S3 cannot be used: {error}", "Check --s3-endpoint and --s3-region.") from error


@contextmanager
def translated(bucket: str, key: str) -> Iterator[None]:
    """Turns what boto3 raises into errors of the store's. Raises ObjectMissing, StoreBusy, StoreFull, StoreTrouble."""
    try:
        yield
    except ClientError as error:
        raise _meaning(error, bucket, key) from error
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise StoreTrouble(
            "there are no keys for S3", "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or whatever else boto3 looks for."
        ) from error
    except (BotoCoreError, HTTPError, OSError) as error:
        raise StoreBusy(f"the storage {bucket} cannot be reached: {str(error)[:300]}") from error


def code_of(error: ClientError) -> str:
    """What S3 calls an error."""
    return str(error.response.get("Error", {}).get("Code", ""))


def status_of(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _meaning(error: ClientError, bucket: str, key: str) -> StoreTrouble:
    code, status = code_of(error), status_of(error)
    if code in _MISSING:
        return ObjectMissing(f"nothing is stored under {key}")
    if code in _FULL:
        return StoreFull("The server has no room left for weights.", "Tell whoever runs the server.")
    if code == "NoSuchBucket":
        return StoreTrouble(f"there is no bucket {bucket}", "Make it, or correct --storage.")
    if code == "RequestTimeTooSkewed":
        return StoreTrouble(
            f"the clocks of this machine and of the storage {bucket} differ too much", "Set this machine's clock."
        )
    if code in _BUSY or status in _ALL_BUSY or status >= 500:
        return StoreBusy(f"the storage {bucket} is busy ({code or status})")
    if code in _DENIED or status in (401, 403):
        return StoreTrouble(
            f"the bucket {bucket} does not let the server in ({code or status})",
            "Check the keys and the bucket's policy: the server gets, puts, deletes and lists.",
        )
    return StoreTrouble(f"the storage {bucket} refused {key} ({code or status})")
