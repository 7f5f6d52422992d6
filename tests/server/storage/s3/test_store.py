"""S3 keeps the contract of object stores, on moto and on a real one; what goes wrong on the way to it is named, and waited out."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from git_lepton.errors import WrongUse
from lepton_server.settings import S3Settings, ServerSettings
from lepton_server.storage.object_store import ObjectMissing, StoreBusy, StoreTrouble, new_key, put
from lepton_server.storage.s3.client import bucket_and_prefix, make_client
from lepton_server.storage.s3.direct_access import DirectImpossible
from lepton_server.storage.s3.presigned_urls import Keys, UrlSigner, url_signer
from lepton_server.storage.s3.store import S3Store, open_s3_store
from tests.server.storage.object_store_contract import KEY, ObjectStoreContract
from tests.support.faulty_proxy import Fault, FaultyProxy
from tests.support.s3_servers import CEPH, S3Server, running_ceph, running_moto

MIB = 1024 * 1024
NEEDS_CEPH = pytest.mark.skipif(not CEPH, reason="GIT_LEPTON_S3_CEPH names no program that starts Ceph")


@pytest.fixture(scope="module", params=["moto", pytest.param("ceph", marks=NEEDS_CEPH)])
def s3(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    running = running_moto if request.param == "moto" else running_ceph
    with running(tmp_path_factory.mktemp(request.param)) as server:
        yield server


@pytest.fixture(scope="module")
def bucket(s3: S3Server) -> str:
    return s3.make_bucket()


class Place:
    """A prefix of its own in a bucket."""

    def __init__(self, s3: S3Server, bucket: str, folder: Path) -> None:
        self.s3, self.bucket, self.folder = s3, bucket, folder
        self.prefix = secrets.token_hex(4)

    def store(self, endpoint: str = "", bucket: str = "", **settings: str) -> S3Store:
        chosen = S3Settings(endpoint or self.s3.endpoint, **settings)
        return open_s3_store(ServerSettings(self.folder, storage=f"s3://{bucket or self.bucket}/{self.prefix}", s3=chosen))

    @property
    def is_ceph(self) -> bool:
        return self.s3.access_key == "lepton"

    def keys(self) -> set[str]:
        return {key for key in self.s3.keys(self.bucket) if key.startswith(self.prefix)}


@pytest.fixture
def place(s3: S3Server, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    return Place(s3, bucket, tmp_path)


class TestS3Store(ObjectStoreContract):
    @pytest.fixture
    def store(self, place: Place) -> S3Store:
        return place.store()


def test_keys_are_those_of_packs_below_the_prefix(place: Place) -> None:
    store, keys = place.store(), {new_key(7), new_key(12), "ab/0123"}
    for key in keys | {"identity"}:
        put(store, key, b"some")
    place.prefix += "x"
    put(place.store(), "ab/other", b"some")
    assert set(store.keys()) == keys


def test_what_lies_under_a_key_stays(place: Place) -> None:
    store = place.store()
    put(store, KEY, b"first")
    with pytest.raises(StoreTrouble, match="something else"):
        put(store, KEY, b"other")
    put(store, KEY, b"first")  # as after an answer that was lost
    assert place.store().read(KEY, 0, 5) == b"first"


def test_an_answer_that_was_lost_is_asked_for_again(place: Place) -> None:
    with FaultyProxy(place.s3.endpoint, [Fault(method="PUT", cut_answer_after=0)]) as proxy:
        put(place.store(proxy.url), KEY, b"some")
        assert proxy.count(KEY, "PUT") == 2
    assert place.store().read(KEY, 0, 4) == b"some"


def test_nothing_is_left_in_the_folder_for_what_comes_in(place: Place) -> None:
    store = place.store()
    incoming = store.begin(KEY)
    incoming.write(b"some")
    assert list((place.folder / "incoming").iterdir()) == []  # nor where the process dies now
    incoming.abort()


def test_small_reads_side_by_side_cost_few_requests(place: Place) -> None:
    data = secrets.token_bytes(10 * MIB)
    put(place.store(), KEY, data)
    with FaultyProxy(place.s3.endpoint) as proxy:
        store = place.store(proxy.url)
        for start in range(0, len(data), 10_000):
            length = min(100, len(data) - start)
            assert store.read(KEY, start, length) == data[start : start + length]
        assert proxy.count(KEY, "GET") == 3


def test_busy_times_and_cut_bodies_are_waited_out(place: Place) -> None:
    data = secrets.token_bytes(3 * MIB)
    faults = [Fault(status=503), Fault(method="GET", cut_answer_after=MIB + 5), Fault(method="GET", cut_answer_after=0)]
    with FaultyProxy(place.s3.endpoint, faults) as proxy:
        store = place.store(proxy.url)
        put(store, KEY, data)
        assert store.read(KEY, 0, len(data)) == data
        proxy.faults = [Fault(method="GET", cut_answer_after=MIB + 5), Fault(method="PUT", cut_request_after=MIB)]
        with store.blocks(KEY, 0, len(data)) as blocks:
            assert b"".join(blocks) == data
        put(store, "ab/two", data)
        assert all(fault.struck for fault in [*faults, *proxy.faults])
    assert place.store().read("ab/two", 0, len(data)) == data


def test_a_body_that_is_always_cut_is_never_taken_for_whole(place: Place) -> None:
    put(place.store(), KEY, b"some bytes")
    with FaultyProxy(place.s3.endpoint, [Fault(method="GET", cut_answer_after=0, times=None)]) as proxy:
        store = place.store(proxy.url)
        with pytest.raises(StoreBusy):
            store.read(KEY, 0, 10)
        proxy.faults = []
        assert store.read(KEY, 0, 10) == b"some bytes"


def test_a_storage_that_is_down_is_busy(place: Place) -> None:
    store = place.store("http://127.0.0.1:1")
    with pytest.raises(StoreBusy, match="cannot be reached"):
        store.exists(KEY)
    assert store.direct is None
    assert store.probe is None  # nothing is known: it is asked again later


def test_a_bucket_that_is_gone_is_not_an_object_that_is(place: Place) -> None:
    store = place.store(bucket="lepton-nowhere")
    for ask in (
        lambda: store.exists(KEY),
        lambda: store.read(KEY, 0, 1),
        lambda: list(store.keys()),
        lambda: put(store, KEY, b"x"),
    ):
        with pytest.raises(StoreTrouble, match="no bucket lepton-nowhere") as raised:
            ask()
        assert not isinstance(raised.value, ObjectMissing)


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (403, "RequestTimeTooSkewed", "clocks"),
        (403, "AccessDenied", "does not let the server in"),
        (403, "InvalidAccessKeyId", "does not let the server in"),
        (507, "InsufficientStorage", "no room left"),
    ],
)
def test_what_s3_refuses_is_said_in_a_sentence(place: Place, status: int, code: str, words: str) -> None:
    body = f"<Error><Code>{code}</Code><Message>Secret words</Message></Error>".encode()
    with (
        FaultyProxy(place.s3.endpoint, [Fault(status=status, body=body, times=None)]) as proxy,
        pytest.raises(StoreTrouble, match=words) as raised,
    ):
        put(place.store(proxy.url), KEY, b"some")
    assert "Secret" not in str(raised.value)


def test_encryption_is_asked_for(place: Place) -> None:
    if place.is_ceph:
        pytest.skip("Ceph encrypts behind TLS only")
    store = place.store(encryption="AES256")
    put(store, KEY, b"some")
    head = place.s3.client().head_object(Bucket=place.bucket, Key=f"{place.prefix}/{KEY}")
    assert head["ServerSideEncryption"] == "AES256"
    assert store.direct is not None
    assert store.direct.upload(KEY, 4, "", 60).headers["x-amz-server-side-encryption"] == "AES256"


def test_the_probe_finds_a_bucket_that_can_be_trusted_and_leaves_nothing(place: Place) -> None:
    store = place.store()
    assert store.direct is not None
    assert store.probe is not None
    assert store.probe.trusted
    assert store.probe.trouble == ""
    assert store.direct.checksum == ("sha256" if store.probe.checksums_kept else "")
    assert place.keys() == set()


def test_where_clients_cannot_reach_the_bucket_they_are_not_sent_to_it(place: Place) -> None:
    store = place.store(public_endpoint="http://127.0.0.1:1")
    assert store.direct is None
    assert store.probe is not None
    assert "nothing answers" in store.probe.trouble
    with pytest.raises(DirectImpossible, match="nothing answers"):
        _ = place.store(public_endpoint="http://127.0.0.1:1", direct="always").direct
    assert place.store(direct="never").direct is None
    assert place.keys() == set()


@pytest.mark.parametrize(
    ("fault", "finding", "words"),
    [
        (Fault(method="PUT", path="X-Amz-Signature", status=200), "headers_kept", "without the headers"),
        (Fault(method="PUT", path="X-Amz-Signature", skip=3, status=200), "once", "replace what is stored"),
        (Fault(method="GET", path="X-Amz-Signature", skip=1, status=206), "ranges_kept", "other ranges"),
        (Fault(method="PUT", path="X-Amz-Signature", skip=2, status=403), "reachable", "does not take a signed PUT"),
    ],
)
def test_a_bucket_that_keeps_less_is_not_trusted(place: Place, fault: Fault, finding: str, words: str) -> None:
    with FaultyProxy(place.s3.endpoint, [replace(fault)]) as proxy:
        store = place.store(public_endpoint=proxy.url)
        assert store.direct is None
        assert store.probe is not None
        assert getattr(store.probe, finding) is False
        assert words in store.probe.trouble
        proxy.faults = [replace(fault)]
        with pytest.raises(DirectImpossible, match=words):
            _ = place.store(public_endpoint=proxy.url, direct="always").direct
    assert place.keys() == set()


def test_what_the_probe_could_not_ask_it_asks_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lepton_server.storage.s3.direct_access._AGAIN_SECONDS", 0.0)
    with FaultyProxy(place.s3.endpoint, [Fault(path="X-Amz-Signature", status=503)]) as proxy:
        store = place.store(proxy.url)
        assert (store.direct, store.probe) == (None, None)
        assert store.direct is not None


@pytest.mark.parametrize("seconds", [0, -120, 3600])
def test_an_address_of_another_time_is_refused(place: Place, seconds: int) -> None:
    if place.is_ceph and seconds > 0:
        pytest.skip("Ceph takes addresses of a later time")
    store = place.store()
    put(store, KEY, b"some")
    base = f"{place.s3.endpoint}/{place.bucket}/{place.prefix}/"
    keys = Keys(place.s3.access_key, place.s3.secret_key)
    signer = UrlSigner(base, "us-east-1", lambda: keys, clock=lambda: time.time() + seconds)
    signed = signer.sign("GET", KEY, {"Range": "bytes=0-1"}, 60)
    assert httpx.get(signed.url, headers=signed.headers).status_code == (403 if seconds else 206)


def test_addresses_are_those_that_boto3_makes_and_come_fast(place: Place) -> None:
    client, key = make_client(S3Settings(place.s3.endpoint)), "a/b c+ä~.-_"
    signer = url_signer(client, place.bucket)
    for _ in range(2):  # the clock may tick between the two
        ours = signer.sign("PUT", key, {"Content-Length": "5", "If-None-Match": "*"}, 60).url
        asked = {"Bucket": place.bucket, "Key": key, "ContentLength": 5, "IfNoneMatch": "*"}
        theirs = client.generate_presigned_url("put_object", Params=asked, ExpiresIn=60)
        if ours == theirs:
            break
    assert ours == theirs
    began = time.process_time()
    for number in range(256):
        signer.sign("GET", f"t1/ab/{number}", {"Range": "bytes=0-99"}, 60)
    assert time.process_time() - began < 0.1


@pytest.mark.parametrize("storage", ["s3://", "s3:///x", "s3://bucket/a//b", "s3://bucket?x"])
def test_places_that_are_none(storage: str) -> None:
    with pytest.raises(WrongUse):
        bucket_and_prefix(storage)
