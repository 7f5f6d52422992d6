"""The address that a request really comes from: the one at the other end, or what a proxy that the operator trusts says of it.

Nobody else's headers are believed: whoever may name their own address escapes every limit by address and writes what they like into logs.
"""

from __future__ import annotations

import ipaddress
import re
import secrets
from collections.abc import Iterable

from starlette.types import Scope

from git_lepton.errors import WrongUse

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAME = re.compile(rb"[A-Za-z0-9._-]{8,64}")


def network(text: str) -> Network:
    """The address or network (10.0.0.0/8) that a text names. Raises WrongUse."""
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        raise WrongUse(f"{text!r} is no address", "Write an IP address, or a network as 10.0.0.0/8.") from None


class TrustedProxies:
    """The proxies whose headers are believed: X-Forwarded-For, X-Forwarded-Proto and X-Request-ID."""

    def __init__(self, networks: Iterable[str] = ()) -> None:
        """Raises WrongUse for what is no network."""
        self._networks = [network(text) for text in networks]

    def introduce(self, scope: Scope) -> tuple[str, str]:
        """The client's address and the request's name; `scope` then has this address, and the scheme that the client used."""
        peer = str((scope.get("client") or ("", 0))[0])
        if not self._trusts(_address(peer)):
            return peer, _new_name()
        headers: dict[bytes, bytes] = {}
        for key, value in scope["headers"]:
            headers[key] = headers[key] + b"," + value if key in headers else value
        address = self._first_stranger(headers.get(b"x-forwarded-for", b"")) or peer
        scope["client"] = (address, 0)
        if headers.get(b"x-forwarded-proto") in (b"http", b"https"):
            scope["scheme"] = headers[b"x-forwarded-proto"].decode()
        told = headers.get(b"x-request-id", b"")
        return address, told.decode() if _NAME.fullmatch(told) else _new_name()

    def _first_stranger(self, forwarded: bytes) -> str:
        """The last address of a list that is not one of ours: what stands before it, anybody may have written."""
        for part in reversed(forwarded.decode("latin-1").split(",")):
            found = _address(part.strip())
            if found is None:
                return ""
            if not self._trusts(found):
                return str(found)
        return ""

    def _trusts(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self._networks)


def _address(text: str) -> Address | None:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, ipaddress.IPv6Address) else found


def _new_name() -> str:
    return secrets.token_hex(8)
