"""The connection against a real HTTP server and a real proxy that misbehaves."""

from __future__ import annotations

import ipaddress
import shlex
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from git_lepton.errors import LeptonError, NetworkTrouble, NotAllowed, WrongUse
from git_lepton.settings.network import HttpSettings
from git_lepton.transfer.http.bodies import Buffer
from git_lepton.transfer.http.connection import Connection
from git_lepton.transfer.http.credentials import CredentialChain, GitCredentials
from git_lepton.transfer.http.hosts import Timeouts, host_of
from git_lepton.transfer.http.refusals import (
    Forbidden,
    LoginNeeded,
    NotALeptonServer,
    NotFound,
    Refuted,
    ServerRefused,
    SessionGone,
    StorageFull,
    TooLarge,
    UpgradeNeeded,
    UrlExpired,
)
from git_lepton.transfer.http.retries import GaveUp, Patience, Transient
from git_lepton.wire.messages import Account
from tests.support.faulty_proxy import Fault, FaultyProxy
from tests.transfer.scripted_server import CAPABILITIES, Answer, Request, ScriptedServer, error_answer, json_answer

ADA = Account("ada", False)
ANY = "/api/v1/account"


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.naps: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds

    def patience(self, **limits: float) -> Patience:
        return replace(Patience(), clock=lambda: self.now, sleep=self.sleep, chance=lambda: 0.5, **limits)  # type: ignore[arg-type]


QUICK = replace(Patience(), sleep=lambda _seconds: None, total_s=0.0, first_contact_s=0.0)
Serve = Callable[..., ScriptedServer]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts scripted servers; they end with the test."""
    running: list[ScriptedServer] = []

    def start(answer: Callable[[Request], Answer] | Answer | list[Answer], capabilities: Answer | None = None) -> ScriptedServer:
        server = ScriptedServer(_as_function(answer), capabilities)
        server.__enter__()
        running.append(server)
        return server

    yield start
    for server in running:
        server.__exit__()


def _as_function(answer: Callable[[Request], Answer] | Answer | list[Answer]) -> Callable[[Request], Answer]:
    if isinstance(answer, Answer):
        return lambda _request: answer
    if isinstance(answer, list):
        left = iter(answer)
        return lambda _request: next(left)
    return answer


def ask(connection: Connection) -> Account:
    return connection.request("GET", ANY, asked="account").message(Account)


def test_every_request_says_what_the_client_speaks_and_the_server_is_greeted_once(serve: Serve) -> None:
    server = serve(json_answer(ADA))
    with Connection(server.url, codecs=[2, 0, 1], user_agent="git-lepton/9") as connection:
        assert ask(connection) == ask(connection) == ADA
    assert server.greetings == 1
    headers = server.requests[0].headers
    assert (headers["lepton-protocol"], headers["lepton-codecs"], headers["user-agent"]) == ("1", "0,1,2", "git-lepton/9")
    assert "authorization" not in headers


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_transient_answer_is_asked_again(serve: Serve, status: int) -> None:
    clock = Clock()
    server = serve([error_answer(status, "unavailable", "a moment"), json_answer(ADA)])
    with Connection(server.url, patience=clock.patience()) as connection:
        assert ask(connection) == ADA
    assert clock.naps == [0.15]


@pytest.mark.parametrize("status", [400, 403, 404, 409, 413, 416, 422, 424, 507])
def test_an_answer_that_will_not_change_is_not_asked_for_again(serve: Serve, status: int) -> None:
    server = serve(error_answer(status, ""))
    with Connection(server.url, patience=QUICK) as connection, pytest.raises(LeptonError):
        ask(connection)
    assert len(server.requests) == 1


def test_retry_after_is_waited_for_and_said(serve: Serve) -> None:
    clock, notes = Clock(), list[str]()
    server = serve([error_answer(503, "unavailable", "back soon", Retry_After="7"), json_answer(ADA)])
    with Connection(server.url, patience=clock.patience()) as connection, connection.noting(notes.append):
        ask(connection)
    assert clock.naps == [7.0]
    assert notes == [f"{connection.host} answers with status 503: back soon; trying again in 7 s"]


def test_patience_ends_with_a_sentence_that_says_what_was_tried(serve: Serve) -> None:
    clock = Clock()
    server = serve(error_answer(503, "unavailable", "no"))
    with Connection(server.url, patience=clock.patience(total_s=60.0)) as connection, pytest.raises(GaveUp) as caught:
        ask(connection)
    assert 50 <= clock.now <= 75
    assert caught.value.exit_code == 5
    assert f"{connection.host} answers with status 503: no (tried " in caught.value.message
    assert "goes on where it stopped" in caught.value.hint


def test_a_server_that_keeps_answering_500_is_given_up_early(serve: Serve) -> None:
    clock = Clock()
    server = serve(error_answer(500, "internal_error", "oops"))
    with (
        Connection(server.url, patience=clock.patience()) as connection,
        pytest.raises(GaveUp, match="status 500: oops") as caught,
    ):
        ask(connection)
    assert len(server.requests) == 6
    assert "r-1" in caught.value.hint


def test_a_server_that_is_not_there_is_given_up_soon() -> None:
    clock = Clock()
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        with Connection(url, patience=clock.patience()) as connection, pytest.raises(GaveUp) as caught:
            ask(connection)
    assert clock.now <= 15
    assert "cannot be reached: Connection refused" in caught.value.message
    assert "Is the server running" in caught.value.hint


def test_a_broken_connection_is_made_anew(serve: Serve) -> None:
    server = serve(json_answer(ADA))
    clock = Clock()
    cut = Fault(path="account", cut_answer_after=5, times=2)
    with FaultyProxy(server.url, [cut]) as proxy, Connection(proxy.url, patience=clock.patience()) as connection:
        assert ask(connection) == ADA
    assert len(clock.naps) == 2


def test_silence_ends_by_the_stall_detector(serve: Serve) -> None:
    server = serve(json_answer(ADA))
    clock = Clock()
    timeouts = Timeouts(connect_s=2, stall_s=0.2, answer_s=0.2)
    faults = [Fault(path="account", hang=True), Fault(path="account", hang_after=4)]
    with (
        FaultyProxy(server.url, faults) as proxy,
        Connection(proxy.url, patience=clock.patience(), timeouts=timeouts) as connection,
    ):
        assert ask(connection) == ADA
    assert len(clock.naps) == 2


def test_a_send_that_nobody_takes_ends_by_the_stall_detector() -> None:
    clock = Clock()
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        timeouts = Timeouts(connect_s=30, stall_s=0.2, answer_s=30)
        with (
            Connection(url, patience=clock.patience(first_contact_s=0.0), timeouts=timeouts) as connection,
            pytest.raises(GaveUp, match="broke the connection"),
        ):
            connection.transfer("PUT", "/pack", asked="pack", body=[bytes(1 << 20)] * 32, headers={})


# What is refused


@pytest.mark.parametrize(
    ("answer", "kind", "exit_code", "words"),
    [
        (error_answer(401, "unauthenticated", "who are you"), LoginNeeded, 6, "who are you"),
        (error_answer(403, "forbidden", "readers may not write"), Forbidden, 6, "readers may not write"),
        (error_answer(404, "not_found", "no"), NotFound, 6, "has no repository ada/m"),
        (error_answer(410, "session_gone", "over"), SessionGone, 5, "over"),
        (error_answer(413, "too_large", "too long"), TooLarge, 5, "too long"),
        (error_answer(422, "corrupt_data", "not that chunk"), Refuted, 7, "not that chunk"),
        (error_answer(426, "upgrade_required", "too old"), UpgradeNeeded, 2, "too old"),
        (error_answer(507, "storage_full", "the disk is full"), StorageFull, 5, "the disk is full"),
        (Answer(413, b"<html><title>413</title>"), TooLarge, 5, "does not take 3 bytes in one request"),
        (Answer(418, b"teapot"), ServerRefused, 5, "status 418"),
    ],
)
def test_a_refusal_is_one_sentence_of_its_kind(
    serve: Serve, answer: Answer, kind: type[LeptonError], exit_code: int, words: str
) -> None:
    server = serve(answer)
    with Connection(server.url, patience=QUICK) as connection, pytest.raises(kind) as caught:
        connection.request("POST", "/x", asked="repository ada/m", body=b"abc")
    assert words in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.exit_code == exit_code


def test_too_large_carries_the_size_and_names_the_setting(serve: Serve) -> None:
    server = serve(Answer(413, b"<html>"))
    with Connection(server.url) as connection, pytest.raises(TooLarge) as caught:
        connection.transfer("PUT", "/p", asked="pack", body=[b"abc", memoryview(b"de")], headers={})
    assert caught.value.size == 5
    assert "client_max_body_size" in caught.value.hint


def test_a_login_page_is_recognised(serve: Serve) -> None:
    server = serve(Answer(200, b"<!DOCTYPE html><html><head><title>Please  log in</title>"))
    with Connection(server.url) as connection, pytest.raises(NotALeptonServer, match="a web page, 'Please log in'") as caught:
        ask(connection)
    assert caught.value.exit_code == 5


@pytest.mark.parametrize(
    "capabilities",
    [Answer(404, b"nothing here"), Answer(200, b"<html>hello"), Answer(200, b'{"server": 1}'), Answer(200, b"[" * 10**5)],
)
def test_what_is_no_lepton_server_is_told_so(serve: Serve, capabilities: Answer) -> None:
    server = serve(json_answer(ADA), capabilities)
    with Connection(server.url) as connection, pytest.raises(NotALeptonServer):
        ask(connection)
    assert server.requests == []


def test_an_old_client_is_told_what_to_install(serve: Serve) -> None:
    newer = replace(CAPABILITIES, protocol_min=2, protocol_max=3, client="git-lepton>=2.0")
    server = serve(json_answer(ADA), json_answer(newer))
    with Connection(server.url) as connection, pytest.raises(UpgradeNeeded) as caught:
        ask(connection)
    assert "speaks protocol 2 to 3" in caught.value.message
    assert caught.value.hint == "Run: pip install --upgrade 'git-lepton>=2.0'"


def test_what_a_server_says_to_install_is_one_word_of_a_shell(serve: Serve) -> None:
    newer = replace(CAPABILITIES, protocol_min=2, protocol_max=3, client="x'; touch gone; '")
    with Connection(serve(json_answer(ADA), json_answer(newer)).url) as connection, pytest.raises(UpgradeNeeded) as caught:
        ask(connection)
    assert shlex.split(caught.value.hint) == ["Run:", "pip", "install", "--upgrade", "x'; touch gone; '"]


def test_an_old_server_is_told_from_an_old_client(serve: Serve) -> None:
    server = serve(json_answer(ADA), json_answer(replace(CAPABILITIES, protocol_min=0, protocol_max=0)))
    with Connection(server.url) as connection, pytest.raises(UpgradeNeeded, match="speaks protocol 0 to 0") as caught:
        ask(connection)
    assert "whoever runs the server" in caught.value.hint


# Redirects


def test_a_redirect_within_the_server_is_followed(serve: Serve) -> None:
    server = serve(lambda request: json_answer(ADA) if request.path == "/new" else Answer(307, b"", {"Location": "/new"}))
    with Connection(server.url) as connection:
        assert ask(connection) == ADA


def test_a_redirect_to_another_host_is_refused_and_gets_nothing(serve: Serve) -> None:
    other = serve(json_answer(ADA))
    server = serve(Answer(302, b"", {"Location": f"{other.url}/x?secret=1"}))
    chain = CredentialChain(token="t0ken", token_host=host_of(server.url))
    with Connection(server.url, credentials=chain) as connection, pytest.raises(ServerRefused) as caught:
        ask(connection)
    assert other.url in caught.value.message
    assert "secret" not in caught.value.message
    assert other.requests == [] and other.greetings == 0


def test_a_circle_of_redirects_ends(serve: Serve) -> None:
    server = serve(Answer(302, b"", {"Location": ANY}))
    with Connection(server.url) as connection, pytest.raises(NotALeptonServer, match="circle"):
        ask(connection)


# Tokens


@dataclass
class Helper:
    """`git credential` with a list of answers."""

    passwords: list[str]
    log: list[tuple[str, bytes]]

    def __call__(self, arguments: list[str], text: bytes, environment: object) -> tuple[int, bytes]:
        self.log.append((arguments[-1], text))
        if arguments[-1] == "fill" and self.passwords:
            return 0, f"protocol=http\nusername=ada\npassword={self.passwords[0]}\n".encode()
        if arguments[-1] == "reject":
            self.passwords.pop(0)
        return 0 if self.passwords else 128, b""

    @property
    def verbs(self) -> list[str]:
        return [verb for verb, _ in self.log]


def only(*tokens: str) -> Callable[[Request], Answer]:
    """A server that takes these tokens."""
    good = {f"Bearer {token}" for token in tokens} | {
        CredentialChain(token_host="h", username="ada", password=token).for_host("https://h").header  # type: ignore[union-attr]
        for token in tokens
    }
    return lambda request: (
        json_answer(ADA) if request.headers.get("authorization") in good else error_answer(401, "unauthenticated")
    )


def test_a_given_token_goes_with_the_first_request(serve: Serve) -> None:
    server = serve(only("t0ken"))
    with Connection(server.url, credentials=CredentialChain(token="t0ken", token_host=host_of(server.url))) as connection:
        ask(connection)
    assert [request.headers["authorization"] for request in server.requests] == ["Bearer t0ken"]


def test_git_is_asked_when_the_server_wants_a_login_and_told_what_was_good(serve: Serve) -> None:
    server, helper = serve(only("pw")), Helper(["pw"], [])
    chain = CredentialChain(git=GitCredentials(interactive=False, run=helper))
    with Connection(server.url, credentials=chain) as connection:
        ask(connection)
        ask(connection)
    assert helper.verbs == ["fill", "approve"]
    assert b"password=pw" in helper.log[1][1]
    assert len(server.requests) == 3


def test_a_password_that_is_refused_is_rejected_and_the_next_one_used(serve: Serve) -> None:
    server, helper = serve(only("new")), Helper(["old", "new"], [])
    with Connection(server.url, credentials=CredentialChain(git=GitCredentials(interactive=False, run=helper))) as connection:
        ask(connection)
    assert helper.verbs == ["fill", "reject", "fill", "approve"]


def test_a_token_that_is_no_good_ends_with_what_to_do(serve: Serve) -> None:
    server = serve(only("other"))
    chain = CredentialChain(token="bad", token_host=host_of(server.url))
    with Connection(server.url, credentials=chain) as connection, pytest.raises(LoginNeeded) as caught:
        ask(connection)
    assert isinstance(caught.value, NotAllowed)
    assert caught.value.message == f"{connection.host} did not accept your token"
    assert caught.value.hint == f"Correct GIT_LEPTON_TOKEN; or unset it, and run: git lepton login {connection.host}"
    assert len(server.requests) == 1


def test_what_is_not_to_be_found_by_a_stranger_is_asked_for_again_with_a_name(serve: Serve) -> None:
    hidden = error_answer(404, "not_found")
    server = serve(lambda request: json_answer(ADA) if "authorization" in request.headers else hidden)
    chain = CredentialChain(git=GitCredentials(interactive=False, run=Helper(["pw"], [])))
    with Connection(server.url, credentials=chain) as connection:
        assert ask(connection) == ADA


def test_threads_that_meet_an_old_token_at_once_ask_the_chain_once(serve: Serve) -> None:
    valid = ["old"]
    server = serve(lambda request: only(valid[0])(request))
    helper = Helper(["old", "new"], [])
    with Connection(server.url, credentials=CredentialChain(git=GitCredentials(interactive=False, run=helper))) as connection:
        ask(connection)
        valid[:] = ["new"]
        threads = [threading.Thread(target=ask, args=[connection]) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        ask(connection)
    assert helper.verbs.count("fill") == 2
    assert helper.verbs.count("reject") == 1


def test_a_transfer_url_gets_its_own_headers_and_nothing_of_ours(serve: Serve) -> None:
    server, store = serve(json_answer(ADA)), serve(Answer(200))
    chain = CredentialChain(token="t0ken", token_host=host_of(server.url))
    settings = HttpSettings(extra_headers=("X-Team: a",))
    with Connection(server.url, credentials=chain, network=lambda _url: settings) as connection:
        ask(connection)
        for url in (f"{store.url}/pack", "/api/v1/transfer/pack"):
            connection.transfer("PUT", url, asked="pack", body=b"x", headers={"X-Signed": "1"})
    assert server.requests[0].headers["x-team"] == "a"
    for request in (server.requests[1], store.requests[0]):
        assert request.headers["x-signed"] == "1"
        assert not {"authorization", "lepton-protocol", "lepton-codecs", "x-team"} & request.headers.keys()


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_an_expired_transfer_url_is_told_from_a_lack_of_rights(serve: Serve, status: int) -> None:
    server = serve(Answer(status, b"<Error><Code>AccessDenied</Code></Error>"))
    with Connection(server.url) as connection, pytest.raises(UrlExpired):
        connection.transfer("PUT", "/pack", asked="pack", body=b"x", headers={})
    with Connection(server.url) as connection, pytest.raises(UrlExpired), connection.stream("/pack", asked="pack", headers={}):
        pass


@pytest.mark.parametrize("code", ["NoSuchKey", ""])
def test_bytes_that_are_lost_are_no_matter_of_rights(serve: Serve, code: str) -> None:
    said = (
        b"<Error><Code>NoSuchKey</Code></Error>"
        if code
        else b'{"error": {"code": "not_found", "message": "-", "hint": "ask for the right"}}'
    )
    server = serve(Answer(404, said))
    with (
        Connection(server.url) as connection,
        pytest.raises(UrlExpired) as caught,
        connection.stream("/pack", asked="pack", headers={}),
    ):
        pass
    assert "has no longer the bytes" in caught.value.message
    assert "lepton-server scrub" in caught.value.hint
    assert "right" not in caught.value.hint


# Bodies


def test_a_body_in_pieces_arrives_whole_with_its_length(serve: Serve) -> None:
    server = serve(Answer(200))
    pieces: list[Buffer] = [b"abc", memoryview(bytearray(b"d" * 700_000)), b"", bytearray(b"e")]
    sent: list[int] = []
    with Connection(server.url) as connection:
        connection.transfer("PUT", "/p", asked="pack", body=pieces, headers={}, sent=sent.append)
    assert server.requests[0].body == b"".join(pieces)
    assert server.requests[0].headers["content-length"] == "700004"
    assert sum(sent) == 700_004


def test_a_body_that_must_travel_again_is_taken_back_from_the_count(serve: Serve) -> None:
    server = serve(Answer(200))
    sent: list[int] = []
    cut, refuse = Fault(method="PUT", cut_request_after=300_000), Fault(method="PUT", status=503)
    with FaultyProxy(server.url, [cut, refuse]) as proxy, Connection(proxy.url, patience=Clock().patience()) as connection:
        connection.transfer("PUT", "/p", asked="pack", body=[bytes(1_000_000)], headers={}, sent=sent.append)
    assert sum(sent) == 1_000_000
    assert min(sent) < 0
    assert len(server.requests[-1].body) == 1_000_000


def test_a_stream_is_read_piece_by_piece_and_its_end_is_noticed(serve: Serve) -> None:
    server = serve(Answer(206, b"0123456789"))
    with Connection(server.url) as connection:
        with connection.stream("/r", asked="range", headers={"Range": "bytes=0-9"}) as stream:
            assert stream.length == 10
            assert (stream.read(4), stream.read(6)) == (b"0123", b"456789")
        with connection.stream("/r", asked="range", headers={}) as stream, pytest.raises(Transient, match="middle"):
            stream.read(11)
    assert server.requests[0].headers["range"] == "bytes=0-9"


def test_a_cut_stream_is_transient(serve: Serve) -> None:
    server = serve(Answer(206, bytes(100_000)))
    cut = Fault(path="/r", cut_answer_after=50_000)
    with (
        FaultyProxy(server.url, [cut]) as proxy,
        Connection(proxy.url) as connection,
        pytest.raises(Transient),
        connection.stream("/r", asked="range", headers={}) as stream,
    ):
        stream.read(100_000)


# Git's settings


def test_requests_go_through_the_proxy_of_git_but_for_hosts_it_excludes(serve: Serve) -> None:
    proxy = serve(json_answer(ADA))
    through = HttpSettings(proxy=f"http://ada:pw@{host_of(proxy.url)}")
    with Connection("http://models.example", network=lambda _url: through) as connection:
        ask(connection)
    assert proxy.requests[0].path == "http://models.example/api/v1/account"
    assert proxy.requests[0].headers["proxy-authorization"].startswith("Basic ")
    server = serve(json_answer(ADA))
    beside = replace(through, no_proxy="localhost, 127.0.0.0/8")
    with Connection(server.url, network=lambda _url: beside) as connection:
        ask(connection)
    assert len(proxy.requests) == 1


def test_a_proxy_of_an_unknown_kind_is_wrong_use() -> None:
    settings = HttpSettings(proxy="gopher://proxy.example")
    with Connection("http://models.example", network=lambda _url: settings) as connection, pytest.raises(LeptonError) as caught:
        ask(connection)
    assert caught.value.exit_code == 2
    assert "http.proxy" in caught.value.hint


def test_secrets_of_extra_headers_do_not_go_over_plain_http_to_others() -> None:
    settings = HttpSettings(extra_headers=("Authorization: Basic eA==", "X-A: 1"))
    with Connection("http://models.example", network=lambda _url: settings) as far:
        assert far._extra() == {"X-A": "1"}
    with Connection("https://models.example", network=lambda _url: settings) as safe:
        assert safe._extra() == {"Authorization": "Basic eA==", "X-A": "1"}


@pytest.mark.parametrize(
    "header",
    ["Authorization: Bearer s3cret\n", "Authorization: Bearer s3\ncret", "Authorization Bearer s3cret", "X-A: s3cret\u20ac"],
)
def test_a_header_that_cannot_be_sent_is_not_quoted(serve: Serve, header: str) -> None:
    server = serve(json_answer(ADA))
    with Connection(server.url, network=lambda _: HttpSettings(extra_headers=(header,))) as connection:
        if header.endswith("\n"):
            assert ask(connection) == ADA
            return
        with pytest.raises(WrongUse) as caught:
            ask(connection)
    assert "s3" not in f"{caught.value} {caught.value.hint}"
    assert not server.requests


def _certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate for 127.0.0.1 that nobody signed, and a server's context with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    kept, secret = folder / "ca.pem", folder / "key.pem"
    kept.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    secret.write_bytes(key.private_bytes(*pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(kept, secret)
    return kept, context


def test_a_certificate_that_is_not_trusted_is_said_at_once(tmp_path: Path) -> None:
    ca_file, context = _certificate(tmp_path)
    with ScriptedServer(_as_function(json_answer(ADA)), tls=context) as server:
        with Connection(server.url) as connection, pytest.raises(NetworkTrouble, match="is not trusted") as caught:
            ask(connection)
        assert f"git config --global http.{server.url}/.sslCAInfo CA_FILE" in caught.value.hint
        assert "GIT_SSL_CAINFO=CA_FILE" in caught.value.hint
        for settings in (HttpSettings(ca_file=str(ca_file)), HttpSettings(verify=False)):
            with Connection(server.url, network=lambda _url, found=settings: found) as connection:  # type: ignore[misc]
                assert ask(connection) == ADA
