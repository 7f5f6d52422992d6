"""What is sent and in which form, against a server in memory. What happens when things break is in test_faults."""

from __future__ import annotations

import dataclasses

import pytest

from git_lepton.format.coding.codec import encode
from git_lepton.format.identifiers import ObjectId
from git_lepton.format.manifest import Manifest, ManifestEntry
from git_lepton.format.pointer import Pointer
from git_lepton.store.local_store import LocalStore
from git_lepton.transfer.http.refusals import TooLarge
from git_lepton.transfer.push_bases import BaseSources, Reached
from git_lepton.transfer.remote_store import RemoteStore
from git_lepton.transfer.upload import Uploaded, WeightsNowhere, upload
from git_lepton.wire.messages import UploadState
from tests.support.faulty_proxy import Fault, FaultyProxy
from tests.transfer.conftest import Connect, Watcher
from tests.transfer.double_server import Double
from tests.transfer.weights import MIB, RAW, add_chunks, add_object, fake_delta, noise


def test_what_is_pushed_is_stored_and_counted(here: LocalStore, double: Double, connect: Connect, progress: Watcher) -> None:
    pointers = [add_object(here, noise(3 * MIB + 5, seed)) for seed in range(3)]
    done = upload(here, connect(double.url), [*pointers, pointers[0]], progress)
    size = sum(pointer.size for pointer in pointers)
    assert done.objects == 3
    assert size < done.bytes_sent == sum(map(len, double.packs.values())) < size + 10_000
    assert done.bytes_known == 0
    assert {pointer.oid.raw for pointer in pointers} == double.objects.keys()
    assert (progress.total, progress.done, progress.finished) == (size, size, 1)


def test_a_push_of_nothing_new_is_one_question(here: LocalStore, double: Double, connect: Connect) -> None:
    pointer = add_object(here, noise(1000, 1))
    upload(here, connect(double.url), [pointer])
    double.server.requests.clear()
    assert upload(here, connect(double.url), [pointer]) == Uploaded(0, 0, 1000)
    assert [request.path.rpartition("ada/m/")[2] for request in double.server.requests] == ["objects/check"]


def test_a_push_of_no_objects_asks_nothing(here: LocalStore, double: Double, connect: Connect) -> None:
    assert upload(here, connect(double.url), []) == Uploaded(0, 0, 0)
    assert double.server.greetings == 0


def test_shared_chunks_travel_once(here: LocalStore, double: Double, connect: Connect) -> None:
    remote, first = connect(double.url), noise(4 * MIB, 1)
    upload(here, remote, [add_object(here, first)])
    pointers = [add_object(here, first[:MIB] * 2 + noise(MIB, 2)), add_object(here, first[MIB:])]
    done = upload(here, remote, pointers)
    assert MIB < done.bytes_sent < MIB + 1000
    assert done.bytes_known == 2 * MIB + 3 * MIB


def test_weights_that_are_nowhere_are_named_and_nothing_is_sent(here: LocalStore, double: Double, connect: Connect) -> None:
    good = add_object(here, noise(MIB, 1))
    unknown = Pointer(ObjectId(bytes(32)), 77)
    with pytest.raises(WeightsNowhere, match="0000") as caught:
        upload(here, connect(double.url), [good, unknown])
    assert (caught.value.objects, caught.value.exit_code) == ([unknown.oid], 4)
    assert double.packs == {}


def test_an_object_with_a_hole_is_named_and_nothing_is_sent(here: LocalStore, double: Double, connect: Connect) -> None:
    good = add_object(here, noise(MIB, 1))
    lost = encode(b"never stored", "", RAW)
    broken = Manifest(ObjectId(b"\1" * 32), lost.raw_length, (ManifestEntry(lost.name, lost.raw_length),))
    here.add_manifest(broken)
    with pytest.raises(WeightsNowhere) as caught:
        upload(here, connect(double.url), [good, Pointer(broken.oid, broken.size)])
    assert caught.value.objects == [broken.oid]
    assert double.packs == {}


def test_an_object_that_the_server_has_needs_not_be_here(here: LocalStore, double: Double, connect: Connect) -> None:
    pointer = add_object(here, noise(MIB, 1))
    upload(here, connect(double.url), [pointer])
    with LocalStore(here.root.parent / "empty") as empty:
        assert upload(empty, connect(double.url), [pointer]) == Uploaded(0, 0, MIB)


def test_packs_come_in_file_order_and_are_numbered(here: LocalStore, double: Double, connect: Connect) -> None:
    pointer = add_object(here, noise(40 * MIB, 1))
    upload(here, connect(double.url, streams=1), [pointer])
    assert [offer.sequence for offer in double.offers] == list(range(len(double.offers)))
    sizes = [offer.size for offer in double.offers]
    assert sizes[0] <= 8 * MIB < sizes[1] <= 32 * MIB
    manifest = here.manifest(pointer.oid)
    assert manifest is not None
    assert list(double.chunks) == [entry.chunk.raw for entry in manifest.entries]


def test_codecs_that_the_repository_does_not_allow_are_coded_anew(here: LocalStore, connect: Connect) -> None:
    pointer = add_object(here, b"abcd" * 100_000, codecs=frozenset({1}))
    with Double(codecs=[0]) as double:
        done = upload(here, connect(double.url), [pointer])
    assert {record.codec for _, _, record in double.chunks.values()} == {0}
    assert done.bytes_sent > 400_000
    assert pointer.oid.raw in double.objects


def test_a_delta_goes_as_it_is_where_its_base_goes_or_is(here: LocalStore, connect: Connect) -> None:
    base = encode(noise(5000, 1), "", RAW)
    old = add_chunks(here, noise(5000, 1), [base])
    delta = fake_delta(noise(4000, 2), base)
    new = add_chunks(here, noise(4000, 2), [delta])
    with Double(codecs=[0, 1, 2, 9]) as double:  # base in the same push, but after its delta
        upload(here, connect(double.url), [new, old])
        assert double.record(delta.name) == delta.record()
    with Double(codecs=[0, 1, 2, 9]) as double:  # base there already
        remote = connect(double.url)
        upload(here, remote, [old])
        upload(here, remote, [new], sources=BaseSources(Reached([old.oid])))
        assert double.record(delta.name) == delta.record()


def test_a_delta_whose_base_is_neither_there_nor_pushed_is_coded_without_it(
    here: LocalStore, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = encode(noise(5000, 1), "", RAW)
    add_chunks(here, noise(5000, 1), [base])
    delta = fake_delta(noise(4000, 2), base)
    new = add_chunks(here, noise(4000, 2), [delta])
    monkeypatch.setattr(here, "read", lambda name: noise(4000, 2))
    with Double(codecs=[0, 1, 2, 9]) as double:
        upload(here, connect(double.url), [new])
        assert double.chunks.keys() == {delta.name.raw}
        assert double.record(delta.name).base is None


def test_a_checksum_is_offered_where_the_server_wants_one(here: LocalStore, connect: Connect) -> None:
    pointer = add_object(here, noise(2 * MIB, 1))
    with Double(upload_checksum="sha256") as double:
        upload(here, connect(double.url), [pointer])
        assert pointer.oid.raw in double.objects


def test_packs_are_confirmed_where_the_ticket_says_so(here: LocalStore, double: Double, connect: Connect) -> None:
    double.confirm = True
    upload(here, connect(double.url), [add_object(here, noise(MIB, 1))])
    assert double.confirmed == [offer.pack for offer in double.offers]


def test_a_pack_that_is_there_already_is_not_sent(here: LocalStore, double: Double, connect: Connect, progress: Watcher) -> None:
    pointer = add_object(here, noise(MIB, 1))
    upload(here, connect(double.url), [pointer])
    double.objects.clear()
    double.server.answer = lambda request, usual=double.answer: (  # type: ignore[misc]
        dataclasses.replace(usual(request), body=bytes(len(request.body) // 32))
        if request.path.endswith("have")
        else usual(request)
    )
    with FaultyProxy(double.url, []) as proxy:
        done = upload(here, connect(proxy.url), [pointer], progress)
        assert proxy.count("/put/") == 0
    assert done == Uploaded(1, 0, 0)
    assert progress.done == MIB


def test_what_the_server_refuses_is_named(here: LocalStore, double: Double, connect: Connect) -> None:
    data = noise(MIB, 1)
    wrong = Manifest(ObjectId(b"\2" * 32), MIB, (ManifestEntry(encode(data, "", RAW).name, MIB),))
    here.add(encode(data, "", RAW))
    here.add_manifest(wrong)
    with pytest.raises(Exception, match=r"0202.*its SHA-256 is another") as caught:
        upload(here, connect(double.url), [Pointer(wrong.oid, MIB)])
    assert caught.value.exit_code == 7  # type: ignore[attr-defined]


def test_an_upload_address_that_expired_is_asked_for_anew(here: LocalStore, double: Double, connect: Connect) -> None:
    pointer = add_object(here, noise(MIB, 1))
    with FaultyProxy(double.url, [Fault(method="PUT", path="/put/", status=403, body=b"<Error/>")]) as proxy:
        upload(here, connect(proxy.url), [pointer])
    assert len(double.offers) == 2
    assert pointer.oid.raw in double.objects


def test_a_session_that_is_gone_is_followed_by_another(here: LocalStore, double: Double, connect: Connect) -> None:
    pointer = add_object(here, noise(20 * MIB, 1))

    def forget() -> None:
        double.sessions["s0"] = {}
        del double.sessions["s0"]
        double.sessions["gone"] = {}

    with FaultyProxy(double.url, [Fault(method="POST", path="/packs$", skip=1, then=forget)]) as proxy:
        done = upload(here, connect(proxy.url, streams=1), [pointer])
        assert proxy.sent < 30 * MIB
    assert pointer.oid.raw in double.objects
    assert done.bytes_sent > 20 * MIB


def test_the_state_is_asked_for_until_it_is_final(
    here: LocalStore, double: Double, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    pointer = add_object(here, noise(1000, 1))
    remote = connect(double.url)
    states = [UploadState("verifying", done, 3) for done in range(3)] + [UploadState("done", 3, 3)]
    monkeypatch.setattr(RemoteStore, "upload_state", lambda self, session, wait: states.pop(0))
    upload(here, remote, [pointer])
    assert states == []


def test_a_pack_that_is_too_long_for_something_on_the_way_is_sent_in_smaller_ones_and_that_is_said_once(
    here: LocalStore, double: Double, connect: Connect, progress: Watcher
) -> None:
    pointers = [add_object(here, noise(12 * MIB, 1))]
    limit = Fault(method="PUT", path="/put/", above=3 * MIB, times=None, status=413, body=b"<html><title>413</title>")
    with FaultyProxy(double.url, [limit]) as proxy:
        upload(here, connect(proxy.url), pointers, progress)
    assert pointers[0].oid.raw in double.objects
    assert max(map(len, double.packs.values())) <= 3 * MIB
    assert len(progress.notes) == 1
    assert "client_max_body_size" in progress.notes[0]
    assert progress.done == progress.total


def test_a_chunk_that_is_too_long_for_something_on_the_way_ends_with_what_to_do(
    here: LocalStore, double: Double, connect: Connect
) -> None:
    pointer = add_object(here, noise(3 * MIB, 1))
    limit = Fault(method="PUT", path="/put/", above=MIB // 2, times=None, status=413)
    with FaultyProxy(double.url, [limit]) as proxy, pytest.raises(TooLarge) as caught:
        upload(here, connect(proxy.url), [pointer])
    assert MIB < caught.value.size < MIB + 1000
    assert "client_max_body_size" in caught.value.hint
