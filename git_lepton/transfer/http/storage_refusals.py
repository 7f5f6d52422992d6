"""Refusals of the storage behind a server (S3), in its own words: XML, of which the user sees at most the name of the error.

An address for it is the server's; where the storage does not take it, asking the server for another is all that a client can do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_CODE = re.compile(rb"<Error\b.{0,2000}?<Code>([A-Za-z0-9.]{1,60})</Code>", re.DOTALL)
_PASSING = frozenset({"RequestTimeout", "OperationAborted", "ConditionalRequestConflict", "SlowDown"})
_OF_OURS = {  # error codes of the protocol for those of S3
    "BadDigest": "corrupt_data",
    "BadContentChecksum": "corrupt_data",
    "IncompleteBody": "corrupt_data",
    "InvalidDigest": "corrupt_data",
    "XAmzContentChecksumMismatch": "corrupt_data",
    "XAmzContentSHA256Mismatch": "corrupt_data",
    "EntityTooLarge": "too_large",
    "QuotaExceeded": "storage_full",
    "InsufficientStorage": "storage_full",
    "XMinioStorageFull": "storage_full",
}
_CLOCKS = "Tell whoever runs the server that its clock and the storage's differ."
_HINTS: Mapping[str, str] = {
    "RequestTimeTooSkewed": _CLOCKS,
    "AccessDenied": f"{_CLOCKS[:-1]}, or that the storage lets no clients in.",
    "NoSuchKey": "Tell whoever runs the server that its storage has lost something: lepton-server scrub finds out what.",
    "NoSuchBucket": "Tell whoever runs the server that its bucket is gone.",
}
_USUAL = "Tell whoever runs the server that the storage does not take its addresses."


def storage_code(body: bytes) -> str:
    """What S3 calls the error whose document this is; "" for any other document."""
    found = _CODE.search(body[:8192])
    return found[1].decode("ascii") if found else ""


def is_passing(code: str) -> bool:
    """Whether the same request may succeed a moment later, whatever the status."""
    return code in _PASSING


def protocol_code(code: str) -> str:
    """The error code of the protocol that means the same, "" where there is none."""
    return _OF_OURS.get(code, "")


def storage_hint(code: str) -> str:
    """What to do where the storage takes no address, though the server gives new ones."""
    return _HINTS.get(code, _USUAL) if code else ""
