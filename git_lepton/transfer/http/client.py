"""The only module that knows the HTTP library: one request over one connection, tried once.

What the library raises leaves here as `Transient` (worth trying again) or as an error of ours (not worth it). Silence ends.
"""

from __future__ import annotations

import re
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    InsecureRequestWarning,
    LocationValueError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    ProxySchemeUnknown,
    ReadTimeoutError,
    SSLError,
)

from git_lepton.errors import NetworkTrouble, WrongUse
from git_lepton.settings.network import HttpSettings
from git_lepton.transfer.http.bodies import Body, Counted, Sent, body_length
from git_lepton.transfer.http.hosts import Timeouts, host_of, is_listed, origin_of
from git_lepton.transfer.http.refusals import ADDRESS_HINT, AnswerTooLong
from git_lepton.transfer.http.retries import Transient

Network = Callable[[str], HttpSettings]  # git's settings for an origin

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_BLOCK = 1 << 20
_LONGEST_ERROR = 256 * 1024
_OPEN_CONNECTIONS = 8  # kept to one origin


class Response:
    """An answer whose body is still to be read. Exactly one of `read_all`, `drain`, `release` or `close` ends it."""

    def __init__(self, response: urllib3.BaseHTTPResponse, host: str) -> None:
        self._response = response
        self._host = host
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers

    @property
    def length(self) -> int | None:
        """Bytes of the body, as far as the sender told."""
        text = self.headers.get("Content-Length", "")
        return int(text) if text.isascii() and text.isdigit() else None

    def read_some(self, count: int) -> bytes:
        """At most `count` bytes, b"" at the end. Raises Transient."""
        with _library_errors(self._host):
            return self._response.read(count, decode_content=False)

    def read_all(self, most: int) -> bytes:
        """The body. Raises AnswerTooLong where it has more than `most` bytes, Transient where it ends before its length."""
        parts: list[bytes] = []
        left = most
        while left >= 0 and (self.length or 0) <= most:
            part = self.read_some(min(_BLOCK, left + 1))
            if not part:
                return b"".join(parts)
            parts.append(part)
            left -= len(part)
        self.close()
        raise AnswerTooLong(f"{self._host} sends more than a lepton server answers to this request", ADDRESS_HINT)

    def drain(self) -> bytes:
        """The beginning of an error's body; b"" if it cannot be read."""
        try:
            with _library_errors(self._host):
                return self._response.read(_LONGEST_ERROR, decode_content=False)
        except (Transient, NetworkTrouble):
            return b""
        finally:
            self.release()

    def release(self) -> None:
        """Keep the connection for the next request, if all was read."""
        if self._response.length_remaining != 0:
            self._response.close()
        self._response.release_conn()

    def close(self) -> None:
        self._response.close()


class HttpClient:
    """Sends requests from any number of threads, by git's settings for each origin. Only the origin of `server`, a URL, sees a
    client certificate."""

    def __init__(self, server: str, network: Network, timeouts: Timeouts) -> None:
        self._server = origin_of(server)
        self._network = network
        self._timeouts = timeouts
        self._classes = _pool_classes(timeouts.stall_s)
        self._pools: dict[tuple[str, str, int], urllib3.PoolManager] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close what is open. Another request opens it again."""
        with self._lock:
            for pool in self._pools.values():
                pool.clear()

    def send(
        self, method: str, url: str, body: Body, headers: Mapping[str, str], *, bulk: bool = False, sent: Sent | None = None
    ) -> Response:
        """One request; no redirect is followed. `bulk`: an answer to GET begins soon or not at all. `sent` is told of the body's
        bytes as they go, and of those in vain as a negative number; what it raises ends the request. Raises Transient."""
        _check_headers(headers, url)
        counted = Counted(sent)
        length = body_length(body)
        framing = {} if method in ("GET", "HEAD") else {"Content-Length": str(length)}
        silence = self._timeouts.stall_s if bulk and method == "GET" else self._timeouts.answer_s
        try:
            with _library_errors(host_of(url)):
                response = self._pool(url).urlopen(
                    method,
                    url,
                    body=counted.slices(body) if length else None,
                    headers={**headers, **framing},
                    timeout=urllib3.Timeout(connect=self._timeouts.connect_s, read=silence),
                    preload_content=False,
                    redirect=False,
                    retries=False,
                )
        except BaseException:
            counted.undo()
            raise
        if response.status >= 300:
            counted.undo()
        return Response(response, host_of(url))

    def _pool(self, url: str) -> urllib3.PoolManager:
        origin = origin_of(url)
        with self._lock:
            if origin not in self._pools:
                self._pools[origin] = self._new_pool(origin)
            return self._pools[origin]

    def _new_pool(self, origin: tuple[str, str, int]) -> urllib3.PoolManager:
        settings = self._network("{}://{}:{}".format(*origin))
        options: dict[str, Any] = {"num_pools": 2, "maxsize": _OPEN_CONNECTIONS, "block": False}
        if settings.ca_file:
            options["ca_certs"] = settings.ca_file
        if not settings.verify:
            urllib3.disable_warnings(InsecureRequestWarning)
            options["cert_reqs"] = "CERT_NONE"
        if origin == self._server and settings.cert:
            options |= {"cert_file": settings.cert, "key_file": settings.key}
        direct = not settings.proxy or is_listed(origin[1], settings.no_proxy)
        pool = urllib3.PoolManager(**options) if direct else _proxied(settings.proxy or "", options)
        pool.pool_classes_by_scheme = self._classes
        return pool


def _check_headers(headers: Mapping[str, str], url: str) -> None:
    """The library's own refusal quotes the value, which may be a secret. Raises WrongUse."""
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or not all(" " <= character <= "~" or character == "\t" for character in value):
            raise WrongUse(
                f"a header of a request to {host_of(url)} has characters that no header may have",
                "Correct the token, or git's http.extraHeader.",
            )


def _proxied(proxy: str, options: dict[str, Any]) -> urllib3.PoolManager:
    try:
        auth = urllib3.util.parse_url(proxy).auth
        return urllib3.ProxyManager(proxy, proxy_headers=urllib3.make_headers(proxy_basic_auth=auth) if auth else None, **options)
    except (ProxySchemeUnknown, LocationValueError) as error:
        raise WrongUse("the proxy's address is not one of http or https", "Correct git's http.proxy setting.") from error


def _pool_classes(stall_s: float) -> dict[str, Any]:
    """Pools whose connections give up a send that moves no slice for `stall_s` (the library would use the connect timeout)."""

    class Http(HTTPConnection):
        def send(self, data: Any) -> None:
            if self.sock is not None:
                self.sock.settimeout(stall_s)
            super().send(data)

    class Https(HTTPSConnection):
        def send(self, data: Any) -> None:
            if self.sock is not None:
                self.sock.settimeout(stall_s)
            super().send(data)

    class HttpPool(HTTPConnectionPool):
        ConnectionCls = Http

    class HttpsPool(HTTPSConnectionPool):
        ConnectionCls = Https

    return {"http": HttpPool, "https": HttpsPool}


@contextmanager
def _library_errors(host: str) -> Iterator[None]:
    """Turns what the HTTP library raises into Transient or, where trying again is no use, into an error."""
    try:
        yield
    except NameResolutionError as error:
        raise Transient("is a name that cannot be resolved", reached=False) from error
    except NewConnectionError as error:
        raise Transient(f"cannot be reached: {_cause(error)}", reached=False) from error
    except ConnectTimeoutError as error:
        raise Transient("does not answer", reached=False) from error
    except ReadTimeoutError as error:
        raise Transient("went silent") from error
    except ProxyError as error:
        raise Transient(
            f"cannot be reached through the proxy: {_cause(error)}", "Check git's http.proxy.", reached=False
        ) from error
    except SSLError as error:
        if isinstance(error.args[0] if error.args else None, ssl.SSLCertVerificationError):
            hint = (
                f"If an authority of your own signed it: git config --global http.https://{host}/.sslCAInfo CA_FILE\n"
                "For one command: GIT_SSL_CAINFO=CA_FILE before it"
            )
            raise NetworkTrouble(f"the certificate of {host} is not trusted: {_cause(error)}", hint) from error
        raise Transient(f"broke the TLS connection: {_cause(error)}") from error
    except (HTTPError, OSError) as error:
        raise Transient(f"broke the connection: {_cause(error)}") from error


def _cause(error: BaseException) -> str:
    """The innermost reason of an error of the HTTP library, in few words."""
    inner: BaseException = error
    while True:
        deeper = next((item for item in reversed(inner.args) if isinstance(item, BaseException)), None) or inner.__cause__
        if deeper is None:
            break
        inner = deeper
    words = getattr(inner, "strerror", None) or getattr(inner, "verify_message", None) or str(inner) or type(inner).__name__
    return str(words).split(" (")[0][:160]
