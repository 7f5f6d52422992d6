"""Hosts as requests need them: their names and origins, which of them need no proxy, and how long they may be silent."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from git_lepton.errors import WrongUse
from git_lepton.settings.addresses import is_private


@dataclass(frozen=True)
class Timeouts:
    """Seconds. `connect_s`: until a connection stands; `stall_s`: without a byte in the middle of a body; `answer_s`: until an
    answer begins, or without a byte of it."""

    connect_s: float = 15.0
    stall_s: float = 30.0
    answer_s: float = 60.0


def host_of(url: str) -> str:
    """`HOST[:PORT]` of a URL, without user and password. Raises WrongUse for what is no http or https URL."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise WrongUse(f"{_printable(url)!r} is not an http or https address", "It should look like https://HOST/OWNER/REPO.")
    name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{name}:{port}" if port else name


def login_name(url: str) -> str:
    """What `git lepton login` is to be told for the server of this URL: its host, with the scheme where that alone means the other one
    (plain http on this machine, https elsewhere)."""
    host = host_of(url)
    scheme = urlsplit(url).scheme
    return host if (scheme == "http") == is_private(f"http://{host}") else f"{scheme}://{host}"


def origin_of(url: str) -> tuple[str, str, int]:
    """Scheme, host and port: what must be the same for a redirect to be followed."""
    host_of(url)
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def is_listed(host: str, rules: str) -> bool:
    """Whether a host is in a list as `no_proxy` is: names that stand for their subdomains too, networks, or `*` for all."""
    names = [rule.lower().strip(".[]") for rule in rules.replace(",", " ").split()]
    return any(name in ("*", host) or host.endswith(f".{name}") or _is_in(host, name) for name in names if name)


def _is_in(address: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def _printable(url: str) -> str:
    """A URL for a message: cut, and without what stands before an @."""
    return url.rpartition("@")[2][:200]
