"""The only module that knows the HTTP library: sends a request until it is answered or there is no sense in going on.

Transient failures (wire-protocol.md, section 1) are sent again with backoff; a token goes to the server itself and nowhere else;
no redirect is followed to another origin; silence ends (`Timeouts`); what the server refuses becomes one of our errors.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urljoin

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

from git_lepton import __version__
from git_lepton.errors import NetworkTrouble, WrongUse
from git_lepton.settings.network import HttpSettings
from git_lepton.transfer.bodies import Body, Counted, Reply, Sent, Stream, body_length
from git_lepton.transfer.credentials import CredentialChain
from git_lepton.transfer.login import Login
from git_lepton.transfer.network import Timeouts, host_of, is_listed, may_carry_secrets, origin_of
from git_lepton.transfer.patience import Attempts, Patience, Transient, retry_after_seconds
from git_lepton.transfer.refusals import (
    ADDRESS_HINT,
    Answer,
    LoginNeeded,
    NotALeptonServer,
    NotFound,
    ServerRefused,
    check_versions,
    read_error,
    refusal,
)
from git_lepton.wire import protocol
from git_lepton.wire.messages import Capabilities

_TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_LONGEST_ERROR = 256 * 1024
_OPEN_CONNECTIONS = 8  # kept to one host
_LOGINS = 3  # credentials tried for one request

Network = Callable[[str], HttpSettings]  # git's settings for the host of a URL


class Connection:
    """Speaks with the server at `base_url`, from any number of threads. `network` tells git's own settings for an origin."""

    def __init__(
        self,
        base_url: str,
        *,
        credentials: CredentialChain | None = None,
        network: Network = lambda _url: HttpSettings(),
        timeouts: Timeouts | None = None,
        patience: Patience | None = None,
        codecs: Sequence[int] = (),
        user_agent: str = f"git-lepton/{__version__}",
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.host = host_of(self.base_url)
        self._origin = origin_of(self.base_url)
        self._timeouts = timeouts or Timeouts()
        self._patience = patience or Patience()
        self._login = Login(self.base_url, credentials)
        self._pools = _Pools(network, self._timeouts)
        self._network = network
        self._note: Callable[[str], object] = lambda _text: None
        self._capabilities: Capabilities | None = None
        self._greeting = threading.Lock()
        self._answered: set[str] = set()  # hosts that answered in this process
        self._agent = {"User-Agent": user_agent}
        self._own = {
            **self._agent,
            protocol.PROTOCOL_HEADER: str(protocol.PROTOCOL_VERSION),
            protocol.CODECS_HEADER: ",".join(map(str, sorted(codecs))),
        }

    def close(self) -> None:
        """Close what is open. Another request opens it again."""
        self._pools.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def noting(self, note: Callable[[str], object]) -> Iterator[None]:
        """Until it is left, `note` is told what is waited for."""
        before, self._note = self._note, note
        try:
            yield
        finally:
            self._note = before

    def attempts(self) -> Attempts:
        """The patience of this connection, for work that takes several requests."""
        return self._attempts(self.host)

    def capabilities(self) -> Capabilities:
        """What the server is; asked for on first contact. Raises UpgradeNeeded, NotALeptonServer."""
        with self._greeting:
            if self._capabilities is None:
                try:
                    reply = self._patiently(self.host, lambda: self._api("GET", protocol.CAPABILITIES, b"", {}, "lepton server"))
                except NotFound as error:
                    raise NotALeptonServer(f"what answers at {self.host} is not a lepton server", ADDRESS_HINT) from error
                found = reply.message(Capabilities)
                check_versions(self.host, found, __version__)
                self._capabilities = found
            return self._capabilities

    def request(self, method: str, path: str, *, asked: str, body: Body = b"", content_type: str = "") -> Reply:
        """One request of the API. `asked` names what it is about, for errors ("repository O/N"). Raises LeptonError."""
        self.capabilities()
        headers = {"Content-Type": content_type} if content_type else {}
        return self._patiently(self.host, lambda: self._api(method, path, body, headers, asked))

    def transfer(
        self, method: str, url: str, *, asked: str, body: Body, headers: Mapping[str, str], sent: Sent | None = None
    ) -> Reply:
        """One request to a transfer URL, with its own headers and nothing of ours. `sent` is told of the body's bytes as they go;
        what it raises ends the request. Raises LeptonError, UrlExpired."""
        target = self._absolute(url)
        carried = {**self._agent, **headers}

        def once() -> Reply:
            return _read(self._send(method, target, body, carried, asked, transfer=True, sent=sent), target)

        return self._patiently(host_of(target), once)

    @contextmanager
    def stream(self, url: str, *, asked: str, headers: Mapping[str, str]) -> Iterator[Stream]:
        """GET a transfer URL and read its body as it comes; tried once. Raises Transient, UrlExpired, LeptonError."""
        target = self._absolute(url)
        response = self._send("GET", target, b"", {**self._agent, **headers}, asked, transfer=True)
        host = host_of(target)

        def read_some(count: int) -> bytes:
            with _transport_errors(host):
                return response.read(count, decode_content=False)

        try:
            length = response.headers.get("Content-Length", "")
            yield Stream(read_some, int(length) if length.isascii() and length.isdigit() else None)
        except BaseException:
            response.close()
            raise
        if response.length_remaining:
            response.close()
        response.release_conn()

    def _absolute(self, url: str) -> str:
        """A transfer URL, which may be relative to the server."""
        return url if "://" in url else f"{self.base_url}/{url.lstrip('/')}"

    def _attempts(self, host: str) -> Attempts:
        return Attempts(host, self._patience, self._note, lambda: host in self._answered)

    def _patiently(self, host: str, work: Callable[[], Reply]) -> Reply:
        attempts = self._attempts(host)
        while True:
            try:
                return work()
            except Transient as trouble:
                attempts.failed(trouble)

    def _api(self, method: str, path: str, body: Body, headers: Mapping[str, str], asked: str) -> Reply:
        """An API request with a credential; where the server takes none, the chain is asked for another."""
        url = self.base_url + path
        for attempt in range(_LOGINS + 1):
            used = self._login.current
            authorization = {"Authorization": used.header} if used else {}
            try:
                reply = _read(
                    self._send(method, url, body, {**self._own, **self._extra(), **headers, **authorization}, asked), url
                )
            except (LoginNeeded, NotFound) as error:
                # what is private is "not found" to who did not log in
                if isinstance(error, NotFound) and used is not None:
                    raise
                if attempt < _LOGINS and self._login.refused(used):
                    continue
                raise self._explained(error, used is not None) from error
            self._login.accepted(used)
            return reply
        raise AssertionError("the last attempt returns or raises")

    def _explained(self, error: LoginNeeded | NotFound, had_token: bool) -> LoginNeeded | NotFound:
        if isinstance(error, NotFound):
            return error
        if not may_carry_secrets(self.base_url):
            return LoginNeeded(f"{self.host} wants a token, and none is ever sent over plain http", "Use its https:// address.")
        sentence = f"{self.host} did not accept your token" if had_token else error.message
        return LoginNeeded(sentence, f"Run: git lepton login {self.host}")

    def _extra(self) -> dict[str, str]:
        """What git's http.extraHeader adds for this server."""
        pairs = (text.partition(":") for text in self._network(self.base_url).extra_headers)
        secret = () if may_carry_secrets(self.base_url) else ("authorization", "cookie")
        return {name.strip(): value.strip() for name, _, value in pairs if name.strip().lower() not in secret}

    def _send(
        self,
        method: str,
        url: str,
        body: Body,
        headers: Mapping[str, str],
        asked: str,
        *,
        transfer: bool = False,
        sent: Sent | None = None,
    ) -> urllib3.BaseHTTPResponse:
        """Send once, following redirects within one origin; gives an answer below 400. Raises Transient or the refusal."""
        host, length = host_of(url), body_length(body)
        for _ in range(5):
            response = self._exchange(method, url, body, length, headers, transfer, sent)
            self._answered.add(host)
            if response.status not in _REDIRECTS:
                break
            url = _redirected(method, url, response)
        else:
            raise NotALeptonServer(f"{host} redirects in a circle", ADDRESS_HINT)
        if response.status < 400:
            return response
        raise _trouble(Answer(host, asked, response.status, response.headers, _drain(response), length, transfer))

    def _exchange(
        self, method: str, url: str, body: Body, length: int, headers: Mapping[str, str], transfer: bool, sent: Sent | None
    ) -> urllib3.BaseHTTPResponse:
        counted = Counted(sent)
        framing = {"Content-Length": str(length)} if method not in ("GET", "HEAD") else {}
        silence = self._timeouts.stall_s if transfer and method == "GET" else self._timeouts.answer_s
        try:
            with _transport_errors(host_of(url)):
                return self._pools.get(url, is_server=origin_of(url) == self._origin).urlopen(
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


class _Pools:
    """Open connections, by origin; each by git's settings for it. Only the server itself sees a client certificate."""

    def __init__(self, network: Network, timeouts: Timeouts) -> None:
        self._network = network
        self._classes = _pool_classes(timeouts.stall_s)
        self._made: dict[tuple[str, str, int], urllib3.PoolManager] = {}
        self._lock = threading.Lock()

    def get(self, url: str, *, is_server: bool) -> urllib3.PoolManager:
        origin = origin_of(url)
        with self._lock:
            if origin not in self._made:
                self._made[origin] = self._make(origin, is_server)
            return self._made[origin]

    def close(self) -> None:
        with self._lock:
            for manager in self._made.values():
                manager.clear()

    def _make(self, origin: tuple[str, str, int], is_server: bool) -> urllib3.PoolManager:
        settings = self._network("{}://{}:{}".format(*origin))
        options: dict[str, Any] = {"num_pools": 2, "maxsize": _OPEN_CONNECTIONS, "block": False}
        if settings.ca_file:
            options["ca_certs"] = settings.ca_file
        if not settings.verify:
            urllib3.disable_warnings(InsecureRequestWarning)
            options["cert_reqs"] = "CERT_NONE"
        if is_server and settings.cert:
            options |= {"cert_file": settings.cert, "key_file": settings.key}
        direct = not settings.proxy or is_listed(origin[1], settings.no_proxy)
        manager = urllib3.PoolManager(**options) if direct else _proxied(settings.proxy or "", options)
        manager.pool_classes_by_scheme = self._classes
        return manager


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
def _transport_errors(host: str) -> Iterator[None]:
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
            hint = "If it has a certificate of your own, name its CA file in git's http.sslCAInfo."
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


def _redirected(method: str, url: str, response: urllib3.BaseHTTPResponse) -> str:
    target = urljoin(url, response.headers.get("Location", ""))
    _drain(response)
    if origin_of(target) != origin_of(url) or (method != "GET" and response.status not in (307, 308)):
        raise ServerRefused(
            f"{host_of(url)} redirects to {target.split('?')[0][:200]}, which is not followed",
            "If you trust that address, make it the remote's: git remote set-url.",
        )
    return target


def _trouble(answer: Answer) -> Exception:
    """What to raise for an answer of 400 or above."""
    if answer.status not in _TRANSIENT:
        return refusal(answer)
    said = read_error(answer)
    reason = f"answers with status {answer.status}" + (f": {said.message}" if said.message else "")
    hint = said.hint or (f"The server's name for this request is {said.request}." if said.request else "")
    retry_after = retry_after_seconds(answer.headers.get("Retry-After", ""), time.time())
    return Transient(reason, hint, retry_after=retry_after, status=answer.status)


def _read(response: urllib3.BaseHTTPResponse, url: str) -> Reply:
    with _transport_errors(host_of(url)):
        return Reply(response.status, response.headers, response.read(decode_content=False), host_of(url))


def _drain(response: urllib3.BaseHTTPResponse) -> bytes:
    """The beginning of an error's body. The connection is kept where that was all of it."""
    try:
        with _transport_errors(""):
            body = response.read(_LONGEST_ERROR, decode_content=True)
    except (Transient, NetworkTrouble):
        body = b""
    if response.length_remaining != 0:
        response.close()
    response.release_conn()
    return body
