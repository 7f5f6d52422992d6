"""Who is believed about where a request comes from."""

from __future__ import annotations

import pytest

from git_lepton.errors import WrongUse
from lepton_server.http.middleware.client_address import TrustedProxies


def introduced(proxies: list[str], peer: str, **headers: str) -> tuple[str, str, str]:
    """Address, name and scheme of a request that comes from `peer` with these headers."""
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"client": (peer, 1), "headers": raw, "scheme": "http"}
    address, name = TrustedProxies(proxies).introduce(scope)
    assert scope["client"][0] == address  # type: ignore[index]
    return address, name, str(scope["scheme"])


def test_nobody_is_believed_by_default() -> None:
    for peer in ("127.0.0.1", "10.0.0.1", "::1"):
        address, name, scheme = introduced(
            [], peer, x_forwarded_for="9.9.9.9", x_forwarded_proto="https", x_request_id="chosen-by-them"
        )
        assert (address, scheme) == (peer, "http")
        assert name != "chosen-by-them"


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ("9.9.9.9", "9.9.9.9"),
        ("1.2.3.4, 9.9.9.9", "9.9.9.9"),  # what stands before was written by the client
        ("1.2.3.4, 9.9.9.9, 10.1.1.1", "9.9.9.9"),  # two proxies of ours
        ("10.3.3.3, 10.1.1.1", "10.0.0.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("::ffff:9.9.9.9", "9.9.9.9"),
        ("nonsense", "10.0.0.1"),
        ("9.9.9.9, nonsense", "10.0.0.1"),
        ("", "10.0.0.1"),
    ],
)
def test_the_last_stranger_is_the_client(forwarded: str, address: str) -> None:
    assert introduced(["10.0.0.0/8"], "10.0.0.1", x_forwarded_for=forwarded)[0] == address


def test_a_proxy_may_name_a_request_and_say_how_it_came() -> None:
    _, name, scheme = introduced(["10.0.0.1"], "10.0.0.1", x_forwarded_proto="https", x_request_id="abcdef0123456789")
    assert (name, scheme) == ("abcdef0123456789", "https")
    for bad in ("short", "x" * 65, "with space", 'quote"quote'):
        assert introduced(["10.0.0.1"], "10.0.0.1", x_request_id=bad)[1] != bad
    assert introduced(["10.0.0.1"], "10.0.0.1", x_forwarded_proto="gopher")[2] == "http"


def test_a_peer_that_is_an_ipv4_in_ipv6_is_the_same() -> None:
    assert introduced(["10.0.0.1"], "::ffff:10.0.0.1", x_forwarded_for="9.9.9.9")[0] == "9.9.9.9"


def test_what_is_no_address_is_said_at_the_start() -> None:
    with pytest.raises(WrongUse, match="no address"):
        TrustedProxies(["example.org"])
