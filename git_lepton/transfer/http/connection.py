"""The connection to one server: HTTP with retries, log-in and redirects, and refusals as errors of ours.

Transient failures (wire-protocol.md, section 1) are sent again with backoff; a token goes to the server itself and nowhere else;
no redirect is followed to another origin; what the server refuses becomes one of our errors.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from urllib.parse import urljoin

from git_lepton import __version__
from git_lepton.settings.addresses import is_private
from git_lepton.settings.network import HttpSettings
from git_lepton.transfer.http.active_credential import Login
from git_lepton.transfer.http.bodies import Body, Reply, Sent, Stream, body_length
from git_lepton.transfer.http.client import HttpClient, Network, Response
from git_lepton.transfer.http.credentials import Credential, CredentialChain
from git_lepton.transfer.http.hosts import Timeouts, host_of, login_name, origin_of
from git_lepton.transfer.http.refusals import (
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
from git_lepton.transfer.http.retries import Attempts, Patience, Transient, retry_after_seconds
from git_lepton.transfer.http.storage_refusals import is_passing, storage_code
from git_lepton.wire import protocol
from git_lepton.wire.messages import Capabilities

_TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5
_LOGINS = 3  # credentials tried for one request


class Connection:
    """Speaks with the server at `base_url`, from any number of threads. `network` tells git's own settings for an origin,
    `codecs` are the ids that whoever reads chunks can decode."""

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
        self._patience = patience or Patience()
        self._login = Login(self.base_url, credentials)
        self._network = network
        self._client = HttpClient(self.base_url, network, timeouts or Timeouts())
        self._note: Callable[[str], object] = lambda _text: None
        self._capabilities: Capabilities | None = None
        self._greeting = threading.Lock()
        self._answered: set[str] = set()  # hosts that answered in this process
        self._agent = {"User-Agent": user_agent}
        self._own = {
            **self._agent,
            protocol.PROTOCOL_HEADER: str(protocol.PROTOCOL_VERSION),
            **({protocol.CODECS_HEADER: ",".join(map(str, sorted(codecs)))} if codecs else {}),
        }

    def close(self) -> None:
        """Close what is open. Another request opens it again."""
        self._client.close()

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
                    reply = self._patiently(self.host, lambda: self._api("GET", protocol.CAPABILITIES, asked="lepton server"))
                except NotFound as error:
                    raise NotALeptonServer(f"what answers at {self.host} is not a lepton server", ADDRESS_HINT) from error
                found = reply.message(Capabilities)
                check_versions(self.host, found, __version__)
                self._capabilities = found
            return self._capabilities

    def request(
        self,
        method: str,
        path: str,
        *,
        asked: str,
        body: Body = b"",
        content_type: str = "",
        most: int = protocol.MAX_MESSAGE_BYTES,
    ) -> Reply:
        """One request of the API. `asked` names what it is about, for errors ("repository O/N"); `most` is how many bytes the answer
        can have. Raises AnswerTooLong and other LeptonErrors."""
        self.capabilities()
        headers = {"Content-Type": content_type} if content_type else {}
        return self._patiently(self.host, lambda: self._api(method, path, body, headers, asked=asked, most=most))

    def transfer(
        self, method: str, url: str, *, asked: str, body: Body, headers: Mapping[str, str], sent: Sent | None = None
    ) -> Reply:
        """One request to a transfer URL, with its own headers and nothing of ours. `sent` is told of the body's bytes as they go;
        what it raises ends the request. Raises LeptonError, UrlExpired."""
        target = self._absolute(url)
        carried = {**self._agent, **headers}

        def once() -> Reply:
            response = self._send(method, target, body, carried, asked, transfer=True, sent=sent)
            return _reply(response, target, protocol.MAX_MESSAGE_BYTES)

        return self._patiently(host_of(target), once)

    @contextmanager
    def stream(self, url: str, *, asked: str, headers: Mapping[str, str]) -> Iterator[Stream]:
        """GET a transfer URL and read its body as it comes; tried once. Raises Transient, UrlExpired, LeptonError."""
        target = self._absolute(url)
        response = self._send("GET", target, b"", {**self._agent, **headers}, asked, transfer=True)
        try:
            yield Stream(response.read_some, response.length)
        except BaseException:
            response.close()
            raise
        response.release()

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

    def _api(
        self,
        method: str,
        path: str,
        body: Body = b"",
        headers: Mapping[str, str] = MappingProxyType({}),
        *,
        asked: str,
        most: int = protocol.MAX_MESSAGE_BYTES,
    ) -> Reply:
        """An API request with a credential; where the server takes none, the chain is asked for another."""
        url = self.base_url + path
        for attempt in range(_LOGINS + 1):
            used = self._login.current
            authorization = {"Authorization": used.header} if used else {}
            try:
                carried = {**self._own, **self._extra(), **headers, **authorization}
                reply = _reply(self._send(method, url, body, carried, asked), url, most)
            except (LoginNeeded, NotFound) as error:
                # what is private is "not found" to who did not log in
                if isinstance(error, NotFound) and used is not None:
                    raise
                if attempt < _LOGINS and self._login.refused(used):
                    continue
                raise self._explained(error, used) from error
            self._login.accepted(used)
            return reply
        raise AssertionError("the last attempt returns or raises")

    def _explained(self, error: LoginNeeded | NotFound, used: Credential | None) -> LoginNeeded | NotFound:
        if isinstance(error, NotFound):
            return error
        if not is_private(self.base_url):
            return LoginNeeded(f"{self.host} wants a token, and none is ever sent over plain http", "Use its https:// address.")
        hint = f"Run: git lepton login {login_name(self.base_url)}"
        if used is None:
            return LoginNeeded(error.message, hint)
        if used.source == "token":  # what login keeps is not asked for while the variable is set
            hint = f"Correct GIT_LEPTON_TOKEN; or unset it, and run: git lepton login {login_name(self.base_url)}"
        return LoginNeeded(f"{self.host} did not accept your token", hint)

    def _extra(self) -> dict[str, str]:
        """What git's http.extraHeader adds for this server."""
        pairs = (text.partition(":") for text in self._network(self.base_url).extra_headers)
        secret = () if is_private(self.base_url) else ("authorization", "cookie")
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
    ) -> Response:
        """Send once, following redirects within one origin; gives an answer below 400. Raises Transient or the refusal."""
        host = host_of(url)
        for _ in range(_MOST_REDIRECTS):
            response = self._client.send(method, url, body, headers, bulk=transfer, sent=sent)
            self._answered.add(host)
            if response.status not in _REDIRECTS:
                break
            url = _redirected(method, url, response)
        else:
            raise NotALeptonServer(f"{host} redirects in a circle", ADDRESS_HINT)
        if response.status < 400:
            return response
        said = response.drain()
        raise _trouble(Answer(host, asked, response.status, response.headers, said, body_length(body), transfer, login_name(url)))


def _redirected(method: str, url: str, response: Response) -> str:
    """Where a redirect within one origin leads. Raises ServerRefused for any other."""
    target = urljoin(url, response.headers.get("Location", ""))
    response.drain()
    if origin_of(target) != origin_of(url) or (method != "GET" and response.status not in (307, 308)):
        raise ServerRefused(
            f"{host_of(url)} redirects to {target.split('?')[0][:200]}, which is not followed",
            "If you trust that address, make it the remote's: git remote set-url.",
        )
    return target


def _trouble(answer: Answer) -> Exception:
    """What to raise for an answer of 400 or above."""
    named = storage_code(answer.body) if answer.transfer else ""
    if answer.status not in _TRANSIENT and not is_passing(named):
        return refusal(answer)
    said = read_error(answer)
    told = said.message or named
    reason = f"answers with status {answer.status}" + (f": {told}" if told else "")
    hint = said.hint or (f"The server's name for this request is {said.request}." if said.request else "")
    retry_after = retry_after_seconds(answer.headers.get("Retry-After", ""), time.time())
    return Transient(reason, hint, retry_after=retry_after, status=answer.status)


def _reply(response: Response, url: str, most: int) -> Reply:
    return Reply(response.status, response.headers, response.read_all(most), host_of(url))
