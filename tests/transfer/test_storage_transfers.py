"""Pushes and fetches that go to the storage (S3) itself, through a proxy before it that breaks things."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from git_lepton.errors import LeptonError
from git_lepton.store.local_store import LocalStore
from git_lepton.transfer.download import download
from git_lepton.transfer.http.refusals import ServerRefused, StorageFull, UrlExpired
from git_lepton.transfer.http.storage_refusals import storage_code
from git_lepton.transfer.upload import upload
from tests.support.backends import Backends, Place, chosen_on_s3
from tests.support.faulty_proxy import Fault, FaultyProxy
from tests.support.running_server import RunningServer
from tests.transfer.conftest import Served, Watcher
from tests.transfer.weights import MIB, add_object, holds

pytestmark = pytest.mark.smoke


@pytest.fixture(scope="module", params=chosen_on_s3())
def place(request: pytest.FixtureRequest, backends: Backends) -> Place:
    return backends.place(request.param)


@pytest.fixture(scope="module")
def storage(place: Place) -> Iterator[FaultyProxy]:
    """What clients take for the storage; the server itself goes round it."""
    with FaultyProxy(place.s3_endpoint) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def running_server(place: Place, storage: FaultyProxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("server"), ["--s3-public-endpoint", storage.url], place=place) as server:
        yield server


@pytest.fixture(autouse=True)
def sound(storage: FaultyProxy) -> Iterator[None]:
    storage.reset_counts()
    yield
    storage.faults = []


def error(code: str) -> bytes:
    words = "Words that are for nobody"
    return f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>{words}</Message><Key>k</Key></Error>'.encode()


def test_all_bytes_go_to_the_storage_and_no_token_does(
    here: LocalStore, there: LocalStore, served: Served, storage: FaultyProxy, progress: Watcher
) -> None:
    pointer = add_object(here, served.noise(20 * MIB))
    with FaultyProxy(served.url) as server:
        upload(here, served.connect(server.url), [pointer], progress)
        download(there, served.connect(server.url), [pointer])
        assert server.sent + server.received < MIB
    assert progress.done == progress.total == 20 * MIB
    assert holds(there, pointer)
    assert storage.sent >= 20 * MIB
    assert storage.received >= 20 * MIB
    told = [value for seen in storage.requests for value in seen.headers.values()]
    assert not any(served.server.admin_token in value for value in [*told, *(seen.path for seen in storage.requests)])
    assert not any("authorization" in seen.headers or "lepton-protocol" in seen.headers for seen in storage.requests)


def test_what_breaks_on_the_way_is_mended(
    here: LocalStore, there: LocalStore, served: Served, storage: FaultyProxy, progress: Watcher
) -> None:
    pointer = add_object(here, served.noise(12 * MIB))
    storage.faults = [
        Fault(method="PUT", cut_request_after=MIB),
        Fault(method="PUT", cut_answer_after=0),  # it is there, and the client does not know: 412
        Fault(method="PUT", status=503, body=error("SlowDown")),
        Fault(method="PUT", status=403, body=error("AccessDenied")),  # as when the address is too old
        Fault(method="PUT", status=400, body=error("RequestTimeout")),
        Fault(method="GET", status=503, body=error("SlowDown")),
        Fault(method="GET", cut_answer_after=MIB),
        Fault(method="GET", status=403, body=error("RequestTimeTooSkewed")),
        Fault(method="GET", status=403, body=error("ExpiredToken")),
    ]
    upload(here, served.connect(streams=1), [pointer], progress)
    assert progress.done == progress.total == 12 * MIB
    download(there, served.connect(streams=1), [pointer])
    assert all(fault.struck == 1 for fault in storage.faults)
    assert holds(there, pointer)


def test_a_pack_that_the_storage_lost_is_sent_again(
    here: LocalStore, there: LocalStore, served: Served, storage: FaultyProxy, progress: Watcher
) -> None:
    pointer = add_object(here, served.noise(3 * MIB))
    storage.faults = [Fault(method="PUT", status=200)]
    upload(here, served.connect(), [pointer], progress)
    assert progress.done == progress.total
    download(there, served.connect(), [pointer])
    assert holds(there, pointer)


def test_damaged_bytes_are_sent_again(here: LocalStore, there: LocalStore, served: Served, storage: FaultyProxy) -> None:
    pointer = add_object(here, served.noise(3 * MIB))
    storage.faults = [Fault(method="PUT", corrupt_request_at=MIB), Fault(method="GET", corrupt_answer_at=MIB)]
    upload(here, served.connect(), [pointer])
    download(there, served.connect(), [pointer])
    assert [fault.struck for fault in storage.faults] == [1, 1]
    assert holds(there, pointer)


@pytest.mark.parametrize(
    ("status", "code", "kind", "words"),
    [
        (403, "RequestTimeTooSkewed", UrlExpired, "its clock and the storage's differ"),
        (403, "AccessDenied", UrlExpired, "lets no clients in"),
        (404, "NoSuchBucket", UrlExpired, "its bucket is gone"),
        (403, "QuotaExceeded", StorageFull, "no room"),
        (400, "InvalidRequest", ServerRefused, "status 400 (InvalidRequest)"),
    ],
)
def test_what_the_storage_refuses_for_good_is_said_in_our_words(
    here: LocalStore, served: Served, storage: FaultyProxy, status: int, code: str, kind: type[LeptonError], words: str
) -> None:
    pointer = add_object(here, served.noise(MIB))
    storage.faults = [Fault(method="PUT", status=status, body=error(code), times=None)]
    with pytest.raises(kind) as raised:
        upload(here, served.connect(), [pointer])
    assert words in str(raised.value)
    assert "for nobody" not in str(raised.value)


@pytest.mark.thorough
def test_where_clients_cannot_reach_the_storage_bytes_go_through_the_server(
    here: LocalStore, there: LocalStore, served: Served, storage: FaultyProxy
) -> None:
    server = served.server
    server.restart(["--s3-public-endpoint", "http://127.0.0.1:1"])
    try:
        pointer = add_object(here, served.noise(9 * MIB))
        upload(here, served.connect(), [pointer])
        download(there, served.connect(), [pointer])
    finally:
        server.restart(["--s3-public-endpoint", storage.url])
    assert holds(there, pointer)
    assert [seen for seen in storage.requests if "probe/" not in seen.path] == []


@pytest.mark.parametrize("body", [b"", b"<html><Code>Nothing</Code></html>", b"<Error>" + b"x" * 5000, b"\xff\xfe"])
def test_other_documents_have_no_code(body: bytes) -> None:
    assert storage_code(body) == ""
