"""Short-lived tokens that allow one thing: to PUT one pack, or to GET one range of one. Signed: nothing is kept of them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from pathlib import Path
from typing import Any

from sqlalchemy import select

from git_lepton.errors import WrongUse
from lepton_server.database.tables import facts
from lepton_server.database.transactions import Database, insert_new
from lepton_server.durable import write_private
from lepton_server.errors import Refusal

PUT, GET = "put", "get"
_FACT = "transfer-secret"
_SECRET_BYTES = 32


class Signer:
    """Signs claims with a secret of this server, and takes only its own back."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    @classmethod
    def of_file(cls, file: Path) -> Signer:
        """With the secret in this file, which is made on first use, readable by its owner only. Raises WrongUse where it holds none."""
        if not file.exists():
            write_private(file, secrets.token_hex(_SECRET_BYTES))
        try:
            secret = bytes.fromhex(file.read_text("ascii").strip())
        except ValueError:  # UnicodeDecodeError too
            secret = b""
        if len(secret) != _SECRET_BYTES:  # an empty key would let everybody sign
            raise WrongUse(
                f"{file} does not hold the secret of {_SECRET_BYTES} bytes that it is for", "Delete it and start again."
            )
        return cls(secret)

    @classmethod
    def of_database(cls, database: Database) -> Signer:
        """With the secret that all processes on this database share."""
        with database.write() as connection:
            insert_new(connection, facts, [{"name": _FACT, "value": secrets.token_hex(_SECRET_BYTES)}])
            return cls(bytes.fromhex(connection.execute(select(facts.c.value).where(facts.c.name == _FACT)).scalar_one()))

    def sign(self, purpose: str, claims: dict[str, Any], seconds: int) -> str:
        """A URL-safe text that says so for so many seconds."""
        body = json.dumps([purpose, int(time.time()) + seconds, claims], separators=(",", ":")).encode()
        return f"{_text(body)}.{_text(self._mac(body))}"

    def open(self, purpose: str, token: str) -> dict[str, Any]:
        """What was signed. Raises Refusal (forbidden) for anything else, and when its time is over."""
        body, _, mac = token.partition(".")
        try:
            told, given = _bytes(body), _bytes(mac)
        except ValueError:
            raise _refused() from None
        if not hmac.compare_digest(self._mac(told), given):
            raise _refused()
        signed_for, expires, claims = json.loads(told)
        if signed_for != purpose or expires <= time.time():
            raise _refused()
        return dict(claims)

    def _mac(self, body: bytes) -> bytes:
        return hmac.digest(self._secret, body, hashlib.sha256)


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _refused() -> Refusal:
    return Refusal("forbidden", "This address is not valid, or no longer.", "Ask the server for a new one.")
