"""Version, paths, headers, limits and error codes of the wire protocol (docs/wire-protocol.md)."""

from __future__ import annotations

PROTOCOL_VERSION = 1
API = "/api/v1"
CAPABILITIES = f"{API}/capabilities"
ACCOUNT = f"{API}/account"
SHARED = "/s"  # where the links of shares are

PROTOCOL_HEADER = "Lepton-Protocol"  # the client's protocol version, on every request
CODECS_HEADER = "Lepton-Codecs"  # the codec ids that the client can decode, joined by commas
TOMBSTONES_HEADER = "Lepton-Tombstones"  # on the answer to objects/check: how many of the missing were taken away on the record
BASES_HEADER = "Lepton-Bases"  # on answers that let more people read a repository: of how many others it shows more than those do
REQUEST_HEADER = "Lepton-Request"  # the server's name for one request, on every answer

BINARY = "application/octet-stream"
DIGEST_BYTES = 32
MAX_DIGESTS = 131_072  # in one request: 4 MiB
MAX_MANIFESTS = 1_000  # in one request
MAX_ANNOUNCED_BYTES = 16 * 1024 * 1024  # of manifests in one request that announces several
MAX_RANGES = 256  # in one request for URLs
MAX_RANGE_BYTES = 64 * 1024 * 1024
MAX_TICKETS = 64  # packs announced in one request
MAX_NAMED_BASES = 64  # repositories named in one request
MAX_WAIT_SECONDS = 20  # that the answer about an upload may be held back
MAX_MESSAGE_BYTES = 1024 * 1024  # of a JSON message, in a request or in an answer
MAX_LIST_BYTES = 16 * 1024 * 1024  # of an answer that lists things, however many there are
MAX_MANIFESTS_BYTES = 64 * 1024 * 1024  # of manifests in one answer, without their lengths; one is never longer
MAX_PLANNED_BYTES = 256  # for each chunk in an answer to plan, bases too
MAX_URL_BYTES = 8 * 1024  # for each range in an answer to urls
MAX_MANIFEST_BYTES = 512 * 1024 * 1024

MISSING, PENDING, STORED = 0, 1, 2  # one byte a digest, in answers to objects/check and have

# Error code -> (HTTP status, whether the same request may succeed when sent again later)
ERRORS: dict[str, tuple[int, bool]] = {
    "bad_request": (400, False),
    "unauthenticated": (401, False),
    "forbidden": (403, False),
    "not_found": (404, False),
    "conflict": (409, False),
    "session_gone": (410, False),
    "too_large": (413, False),
    "range_not_satisfiable": (416, False),
    "corrupt_data": (422, False),
    "missing_chunks": (424, False),
    "upgrade_required": (426, False),
    "too_many_requests": (429, True),
    "internal_error": (500, True),
    "unavailable": (503, True),
    "storage_full": (507, False),
    "quota_exceeded": (507, False),
}


def repository_path(repository: str, *parts: str) -> str:
    """The API path of something in a repository `OWNER/NAME`."""
    return "/".join([f"{API}/repositories/{repository}", *parts])


def join_digests(digests: list[bytes]) -> bytes:
    """The body of a request that lists names of content."""
    return b"".join(digests)


def split_digests(body: bytes) -> list[bytes]:
    """The 32-byte names in a request's body. Raises ValueError if a piece is left over."""
    if len(body) % DIGEST_BYTES:
        raise ValueError(f"a list of names has a multiple of {DIGEST_BYTES} bytes, this one {len(body)}")
    return [body[start : start + DIGEST_BYTES] for start in range(0, len(body), DIGEST_BYTES)]
