"""What is fetched, against a server in memory. What happens when things break is in test_faults."""

from __future__ import annotations

import time

import pytest

from git_lepton.format.coding.codec import encode
from git_lepton.format.identifiers import ObjectId
from git_lepton.format.pointer import Pointer
from git_lepton.store.local_store import LocalStore
from git_lepton.transfer.download import Downloaded, ObjectsAbsent, download
from git_lepton.transfer.fetching import BadPayload, RangeIgnored
from git_lepton.transfer.http.refusals import RangeGone
from git_lepton.transfer.push_bases import BaseSources, Reached
from git_lepton.transfer.upload import upload
from tests.support.faulty_proxy import Fault, FaultyProxy
from tests.transfer.conftest import Connect, Watcher
from tests.transfer.double_server import Double
from tests.transfer.scripted_server import Answer, Request
from tests.transfer.weights import MIB, RAW, add_chunks, add_object, fake_delta, holds, noise


def test_what_was_pushed_comes_back(
    here: LocalStore, there: LocalStore, double: Double, connect: Connect, progress: Watcher
) -> None:
    pointers = [add_object(here, noise(5 * MIB + seed, seed), piece=300_000) for seed in range(3)]
    remote = connect(double.url)
    upload(here, remote, pointers)
    done = download(there, remote, pointers, progress)
    assert done == Downloaded(3, sum(pointer.size for pointer in pointers))
    assert all(holds(there, pointer) for pointer in pointers)
    assert progress.total == progress.done == done.bytes_received
    assert progress.finished == 1


def test_what_is_here_is_not_fetched_again(here: LocalStore, there: LocalStore, double: Double, connect: Connect) -> None:
    data = noise(4 * MIB, 1)
    pointers = [add_object(here, data), add_object(here, data[: 2 * MIB] + noise(MIB, 2))]
    remote = connect(double.url)
    upload(here, remote, pointers)
    assert download(there, remote, pointers[:1]) == Downloaded(1, 4 * MIB)
    assert download(there, remote, pointers) == Downloaded(1, MIB)
    double.server.requests.clear()
    assert download(there, remote, pointers) == Downloaded(0, 0)
    assert double.server.requests == []


def test_neighbours_come_in_few_ranges(here: LocalStore, there: LocalStore, double: Double, connect: Connect) -> None:
    pointer = add_object(here, noise(40 * MIB, 1))
    remote = connect(double.url)
    upload(here, remote, [pointer])
    double.server.requests.clear()
    download(there, remote, [pointer])
    ranges = [request for request in double.server.requests if request.path.startswith("/get/")]
    assert len(ranges) <= len(double.packs) + 40 // 16
    assert sum(request.path.endswith("/urls") for request in double.server.requests) == 1


def test_objects_that_the_server_lacks_are_named_after_all_others_came(
    here: LocalStore, there: LocalStore, double: Double, connect: Connect
) -> None:
    good, unknown = add_object(here, noise(MIB, 1)), Pointer(ObjectId(bytes(32)), 77)
    holed = add_object(here, noise(2 * MIB, 2))
    remote = connect(double.url)
    upload(here, remote, [good, holed])
    manifest = here.manifest(holed.oid)
    assert manifest is not None
    del double.chunks[manifest.entries[1].chunk.raw]
    with pytest.raises(ObjectsAbsent) as caught:
        download(there, remote, [unknown, holed, good])
    assert caught.value.objects == [unknown.oid, holed.oid]
    assert caught.value.exit_code == 4
    assert holds(there, good)
    assert there.manifest(holed.oid) is None


def test_bases_come_along_and_are_stored_before_their_deltas(here: LocalStore, there: LocalStore, connect: Connect) -> None:
    chunks = [encode(noise(5000, 0), "", RAW)]
    for seed in range(1, 4):
        chunks.append(fake_delta(noise(5000, seed), chunks[-1]))
    versions = [add_chunks(here, noise(5000, seed), [chunk]) for seed, chunk in enumerate(chunks)]
    with Double(codecs=[0, 1, 2, 9]) as double:
        remote = connect(double.url)
        upload(here, remote, versions)
        assert download(there, remote, versions[-1:]).bytes_received == 4 * 5000
    for chunk in chunks:
        assert there.encoded(chunk.name).record() == chunk.record()


def test_deltas_wait_for_bases_that_other_streams_bring(here: LocalStore, there: LocalStore, connect: Connect) -> None:
    """The bases lie in a pack of their own, and every range of it comes late."""
    old = [encode(noise(MIB, seed), "", RAW) for seed in range(40)]
    new = [fake_delta(noise(10_000, 100 + seed), base) for seed, base in enumerate(old)]
    first = add_chunks(here, b"".join(noise(MIB, seed) for seed in range(40)), old)
    second = add_chunks(here, b"".join(noise(10_000, 100 + seed) for seed in range(40)), new)
    with Double(codecs=[0, 1, 2, 9]) as double:
        remote = connect(double.url)
        upload(here, remote, [first])
        upload(here, remote, [second], sources=BaseSources(Reached([first.oid])))
        late = max(double.packs, key=lambda name: len(double.packs[name]))
        usual = double.answer

        def slow(request: Request) -> Answer:
            if late in request.path and request.method == "GET":
                time.sleep(0.05)
            return usual(request)

        double.server.answer = slow
        done = download(there, remote, [second])
    assert done.bytes_received == 40 * (MIB + 10_000)
    assert all(there.encoded(chunk.name).record() == chunk.record() for chunk in new)


def test_with_a_base_comes_what_depends_on_it_once_more_where_the_base_was_damaged(
    here: LocalStore, there: LocalStore, connect: Connect
) -> None:
    base = encode(noise(MIB, 1), "", RAW)
    delta = fake_delta(noise(10_000, 2), base)
    pointers = [add_chunks(here, noise(MIB, 1), [base]), add_chunks(here, noise(10_000, 2), [delta])]
    with Double(codecs=[0, 1, 2, 9]) as double:
        upload(here, connect(double.url), pointers)
        with FaultyProxy(double.url, [Fault(path="/get/", corrupt_answer_at=1000)]) as proxy:
            download(there, connect(proxy.url), pointers)
            assert proxy.count("/get/") == 3  # one range, then both again
    assert there.encoded(delta.name).record() == delta.record()


def test_a_chunk_that_comes_damaged_is_fetched_once_more(
    here: LocalStore, there: LocalStore, double: Double, connect: Connect, progress: Watcher
) -> None:
    pointer = add_object(here, noise(4 * MIB, 1))
    upload(here, connect(double.url), [pointer])
    with FaultyProxy(double.url, [Fault(path="/get/", corrupt_answer_at=MIB + 500)]) as proxy:
        download(there, connect(proxy.url), [pointer], progress)
        assert 5 * MIB < proxy.received < 5 * MIB + 5000
    assert holds(there, pointer)
    assert progress.done == progress.total


def test_a_chunk_that_comes_damaged_twice_is_corrupt_data_and_the_rest_stays(
    here: LocalStore, there: LocalStore, double: Double, connect: Connect
) -> None:
    pointer = add_object(here, noise(4 * MIB, 1))
    upload(here, connect(double.url), [pointer])
    damage = Fault(path="/get/", times=None, corrupt_answer_at=500)
    with FaultyProxy(double.url, [damage]) as proxy, pytest.raises(BadPayload, match="arrives damaged") as caught:
        download(there, connect(proxy.url, streams=1), [pointer])
    assert caught.value.exit_code == 7
    manifest = here.manifest(pointer.oid)
    assert manifest is not None
    assert there.missing(entry.chunk for entry in manifest.entries) == {manifest.entries[0].chunk}


def test_a_download_address_that_expired_is_asked_for_anew(
    here: LocalStore, there: LocalStore, double: Double, connect: Connect
) -> None:
    pointer = add_object(here, noise(MIB, 1))
    upload(here, connect(double.url), [pointer])
    with FaultyProxy(double.url, [Fault(path="/get/", status=403, body=b"<Error/>")]) as proxy:
        download(there, connect(proxy.url), [pointer])
        assert proxy.count("/urls$") == 2
    assert holds(there, pointer)


def test_where_the_server_has_moved_what_it_told_of_another_plan_is_asked_for(
    here: LocalStore, there: LocalStore, double: Double, connect: Connect, progress: Watcher
) -> None:
    pointers = [add_object(here, noise(20 * MIB, seed)) for seed in (1, 2)]
    for pointer in pointers:
        upload(here, connect(double.url, streams=1), [pointer])
    moved = Fault(path="/get/", skip=1, times=1, status=416)
    with FaultyProxy(double.url, [moved]) as proxy:
        done = download(there, connect(proxy.url, streams=1), pointers, progress)
        assert proxy.count("/plan") == 2
    assert done.bytes_received == 40 * MIB
    assert progress.done == progress.total < 40 * MIB
    assert all(holds(there, pointer) for pointer in pointers)


def test_a_server_that_moves_all_the_time_is_given_up(
    here: LocalStore, there: LocalStore, double: Double, connect: Connect
) -> None:
    pointer = add_object(here, noise(MIB, 1))
    upload(here, connect(double.url), [pointer])
    with FaultyProxy(double.url, [Fault(path="/get/", times=None, status=416)]) as proxy:
        with pytest.raises(RangeGone, match="moved"):
            download(there, connect(proxy.url), [pointer])
        assert proxy.count("/plan") == 3


def test_an_answer_that_is_not_the_range_is_said(here: LocalStore, there: LocalStore, double: Double, connect: Connect) -> None:
    pointer = add_object(here, noise(2 * MIB, 1))
    upload(here, connect(double.url), [pointer])
    usual = double.answer
    double.server.answer = lambda request: (
        Answer(200, next(iter(double.packs.values()))) if request.path.startswith("/get/") else usual(request)
    )
    with pytest.raises(RangeIgnored, match="for a range of"):
        download(there, connect(double.url), [pointer])


def test_nothing_to_bring_asks_nothing(there: LocalStore, double: Double, connect: Connect) -> None:
    assert download(there, connect(double.url), []) == Downloaded(0, 0)
    assert double.server.greetings == 0
