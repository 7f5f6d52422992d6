"""Moto's S3 server as a program that prints its port, and refuses signed URLs which are not what was signed, as real servers do.

Moto itself takes any signature. Here a request with a signature in its query is let through only if that signature is right for its
method, path, query and signed headers, and its time is not over; and a body of another SHA-256 than its checksum header says is refused.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import os
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

_SECRET = os.environ.get("MOTO_SECRET_KEY", "")
_SIGNATURE = "X-Amz-Signature"
_SKEW = timedelta(minutes=15)
Start = Callable[..., Any]


def checked(
    application: Callable[[dict[str, Any], Start], Iterable[bytes]],
) -> Callable[[dict[str, Any], Start], Iterable[bytes]]:
    """The application behind the check."""

    def answer(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        trouble = _trouble(environ)
        if trouble is None:
            return application(environ, start)
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        status, code, words = trouble
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{words}</Message></Error>".encode()
        start(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
        return [body]

    return answer


def _trouble(environ: dict[str, Any]) -> tuple[str, str, str] | None:
    query = dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
    if _SIGNATURE in query:
        began = datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        now = datetime.now(UTC)
        if began - _SKEW > now:
            return "403 Forbidden", "RequestTimeTooSkewed", "The difference between the request time and ours is too large."
        if began + timedelta(seconds=int(query["X-Amz-Expires"])) < now:
            return "403 Forbidden", "AccessDenied", "Request has expired"
        if not hmac.compare_digest(query.pop(_SIGNATURE), _signature(environ, query)):
            return "403 Forbidden", "SignatureDoesNotMatch", "The signature does not match."
    if told := environ.get("HTTP_X_AMZ_CHECKSUM_SHA256"):
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        if hashlib.sha256(body).digest() != base64.b64decode(told):
            return "400 Bad Request", "BadDigest", "The SHA256 you specified did not match what we received."
    return None


def _signature(environ: dict[str, Any], query: dict[str, str]) -> str:
    """AWS Signature Version 4 of a request whose signature is in its query."""
    names = query["X-Amz-SignedHeaders"].split(";")
    path = environ["RAW_URI"].partition("?")[0]
    pairs = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in query.items())
    headers = "".join(f"{name}:{_header(environ, name)}\n" for name in names)
    parts = [environ["REQUEST_METHOD"], path, "&".join(f"{name}={value}" for name, value in pairs), headers]
    canonical = "\n".join([*parts, ";".join(names), "UNSIGNED-PAYLOAD"])
    scope = query["X-Amz-Credential"].split("/", 1)[1]
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{query['X-Amz-Date']}\n{scope}\n{hashed}"
    key = f"AWS4{_SECRET}".encode()
    for part in [*scope.split("/"), text]:
        key = hmac.digest(key, part.encode(), "sha256")
    return key.hex()


def _header(environ: dict[str, Any], name: str) -> str:
    plain = name.upper().replace("-", "_")
    return str(environ.get(plain if plain in ("CONTENT_LENGTH", "CONTENT_TYPE") else f"HTTP_{plain}", "")).strip()


def main() -> None:
    application = checked(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=MotoRequestHandler)
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
