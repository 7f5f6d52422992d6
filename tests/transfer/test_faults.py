"""Pushes and fetches through a proxy that breaks things, against the real server. All must end well, or with one sentence."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from git_lepton.errors import LeptonError
from git_lepton.store.local_store import LocalStore
from git_lepton.transfer.download import download
from git_lepton.transfer.http.credentials import CredentialChain, GitCredentials
from git_lepton.transfer.http.hosts import Timeouts, host_of
from git_lepton.transfer.http.refusals import LoginNeeded, TooLarge
from git_lepton.transfer.http.retries import GaveUp
from git_lepton.transfer.upload import upload
from tests.support.faulty_proxy import Fault, FaultyProxy
from tests.transfer.conftest import HASTY, Served, Watcher
from tests.transfer.weights import MIB, add_object, holds

SHORT = Timeouts(connect_s=2.0, stall_s=0.3, answer_s=0.5)


def pack_fault(served: Served, **how: object) -> Fault:
    """A fault of a pack on its way to the server."""
    return Fault(method="PUT", path=r"/transfers/", above=100_000, **how)  # type: ignore[arg-type]


def range_fault(served: Served, **how: object) -> Fault:
    """A fault of a range on its way to the client."""
    return Fault(method="GET", path=r"/transfers/", **how)  # type: ignore[arg-type]


def test_a_push_whose_connections_are_cut_again_and_again_ends_well(
    here: LocalStore, there: LocalStore, served: Served, progress: Watcher
) -> None:
    pointer = add_object(here, served.noise(20 * MIB))
    cuts = [pack_fault(served, cut_request_after=after, times=2) for after in (1, 700_000, 5_000_000)]
    with FaultyProxy(served.url, cuts) as proxy:
        upload(here, served.connect(proxy.url), [pointer], progress)
        assert sum(cut.struck for cut in cuts) == 6
    assert progress.done == progress.total == 20 * MIB
    assert download(there, served.connect(), [pointer]).objects == 1
    assert holds(there, pointer)


def test_a_fetch_whose_connections_are_cut_goes_on_where_it_stopped(
    here: LocalStore, there: LocalStore, served: Served, progress: Watcher
) -> None:
    pointer = add_object(here, served.noise(20 * MIB))
    upload(here, served.connect(), [pointer])
    # Not faster than anybody reads: a reset takes away what lies unread in the client's buffers, which no client could keep.
    cuts = [range_fault(served, cut_answer_after=after, rate=10 * MIB, times=3) for after in (3 * MIB, 500)]
    with FaultyProxy(served.url, cuts) as proxy:
        download(there, served.connect(proxy.url), [pointer], progress)
        assert proxy.received < 20 * MIB + 6 * MIB + 100_000  # at most the chunk at hand travels twice
    assert holds(there, pointer)
    assert progress.done == progress.total


def test_a_busy_server_is_waited_for(here: LocalStore, there: LocalStore, served: Served) -> None:
    pointer = add_object(here, served.noise(2 * MIB))
    busy = [
        Fault(path=path, status=503, headers={"Retry-After": "0"}, times=2)
        for path in ("/have$", "/uploads$", "/commit$", "/plan$", "/urls$")
    ]
    busy += [pack_fault(served, status=503, times=2), range_fault(served, status=502, times=2)]
    with FaultyProxy(served.url, busy) as proxy:
        upload(here, served.connect(proxy.url), [pointer])
        download(there, served.connect(proxy.url), [pointer])
    assert [fault.struck for fault in busy] == [2] * len(busy)
    assert holds(there, pointer)


def test_a_proxy_that_takes_only_short_bodies_gets_short_packs(
    here: LocalStore, there: LocalStore, served: Served, progress: Watcher
) -> None:
    pointer = add_object(here, served.noise(12 * MIB))
    with FaultyProxy(served.url, [Fault(method="PUT", above=3 * MIB, times=None, status=413)]) as proxy:
        upload(here, served.connect(proxy.url), [pointer], progress)
    assert len(progress.notes) == 1
    assert "client_max_body_size" in progress.notes[0]
    download(there, served.connect(), [pointer])
    assert holds(there, pointer)


def test_a_proxy_that_takes_no_chunk_at_all_is_named(here: LocalStore, served: Served) -> None:
    pointer = add_object(here, served.noise(3 * MIB))
    with FaultyProxy(served.url, [Fault(method="PUT", above=MIB // 2, times=None, status=413)]) as proxy, pytest.raises(TooLarge):
        upload(here, served.connect(proxy.url), [pointer])


def test_silence_is_not_waited_out(here: LocalStore, there: LocalStore, served: Served) -> None:
    pointer = add_object(here, served.noise(6 * MIB))
    silent = [pack_fault(served, hang=True), range_fault(served, hang=True), range_fault(served, hang_after=2 * MIB + 9)]
    with FaultyProxy(served.url, silent) as proxy:
        upload(here, served.connect(proxy.url, timeouts=SHORT), [pointer])
        download(there, served.connect(proxy.url, timeouts=SHORT), [pointer])
    assert [fault.struck for fault in silent] == [1, 1, 1]
    assert holds(there, pointer)


def test_a_slow_link_gets_short_packs(here: LocalStore, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("git_lepton.transfer.packing._SECONDS", 0.2)  # so that ten MB/s are slow
    pointer = add_object(here, served.noise(14 * MIB))
    with FaultyProxy(served.url, [pack_fault(served, rate=10 * MIB, times=None)]) as proxy:
        upload(here, served.connect(proxy.url, streams=1), [pointer])
        lengths = [seen.length for seen in proxy.requests if seen.length > MIB]
    assert lengths[0] > 7 * MIB
    assert all(length <= 2.5 * MIB for length in lengths[1:])


def test_a_byte_that_is_damaged_on_the_way_up_is_noticed_and_sent_again(
    here: LocalStore, there: LocalStore, served: Served
) -> None:
    pointer = add_object(here, served.noise(4 * MIB))
    damages = [pack_fault(served, corrupt_request_at=at) for at in (2_500_000, 4 * MIB + 500)]  # a payload; the index
    with FaultyProxy(served.url, damages) as proxy:
        upload(here, served.connect(proxy.url), [pointer])
        assert proxy.sent > 8 * MIB
    download(there, served.connect(), [pointer])
    assert holds(there, pointer)


def test_a_byte_that_is_damaged_on_the_way_down_is_fetched_again(here: LocalStore, there: LocalStore, served: Served) -> None:
    pointer = add_object(here, served.noise(4 * MIB))
    upload(here, served.connect(), [pointer])
    with FaultyProxy(served.url, [range_fault(served, corrupt_answer_at=1_200_000)]) as proxy:
        download(there, served.connect(proxy.url), [pointer])
        assert proxy.received < 6 * MIB
    assert holds(there, pointer)


# Tokens


def test_a_wrong_token_is_told_with_what_to_do(here: LocalStore, served: Served) -> None:
    wrong = CredentialChain(token="wrong", token_host=host_of(served.url))
    with pytest.raises(LoginNeeded) as caught:
        upload(here, served.connect(credentials=wrong), [add_object(here, served.noise(100))])
    assert caught.value.exit_code == 6
    assert caught.value.hint.endswith(f"run: git lepton login {host_of(served.url)}")


def test_a_token_that_is_replaced_while_a_push_is_under_way(here: LocalStore, served: Served) -> None:
    tokens = [served.new_token(), served.new_token()]
    told: list[str] = []

    def git(arguments: list[str], text: bytes, environment: object) -> tuple[int, bytes]:
        told.append(arguments[-1])
        if arguments[-1] == "reject":
            tokens.pop(0)
        return 0, f"username=admin\npassword={tokens[0]}\n".encode()

    pointer = add_object(here, served.noise(20 * MIB))
    with FaultyProxy(served.url, [pack_fault(served, then=lambda: served.revoke(tokens[0]))]) as proxy:
        chain = CredentialChain(git=GitCredentials(interactive=False, run=git))
        upload(here, served.connect(proxy.url, credentials=chain), [pointer])
    assert served.connect().stored([pointer.oid]) == {pointer.oid}
    assert told == ["fill", "approve", "reject", "fill", "approve"]


# Ends and beginnings


def test_a_session_that_ended_is_followed_by_another(here: LocalStore, served: Served) -> None:
    body = b'{"error": {"code": "session_gone", "message": "This upload has ended."}}'
    pointer = add_object(here, served.noise(20 * MIB))
    with FaultyProxy(served.url, [Fault(method="POST", path="/packs$", skip=2, status=410, body=body)]) as proxy:
        upload(here, served.connect(proxy.url), [pointer])
        assert proxy.count("/uploads$", "POST") == 2
    assert served.connect().stored([pointer.oid]) == {pointer.oid}


def test_a_server_that_is_killed_in_the_middle_of_a_push_and_comes_back(
    here: LocalStore, there: LocalStore, served: Served
) -> None:
    pointer = add_object(here, served.noise(100 * MIB), piece=4 * MIB)

    def restart() -> None:
        served.server.kill()
        threading.Timer(0.2, served.server.restart).start()

    with FaultyProxy(served.url, [pack_fault(served, skip=5, then=restart)]) as proxy:
        remote = served.connect(proxy.url, patience=replace(HASTY, total_s=60.0, longest_wait_s=0.5))
        upload(here, remote, [pointer])
        longest = max(seen.length for seen in proxy.requests)
        assert proxy.sent <= 100 * MIB + 4 * longest + MIB
    download(there, served.connect(), [pointer])
    assert holds(there, pointer)


def test_a_push_that_was_given_up_goes_on_where_it_stopped(
    here: LocalStore, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("git_lepton.transfer.packing.MAX_PACK_BYTES", 5 * MIB)
    pointer = add_object(here, served.noise(40 * MIB))
    impatient = replace(HASTY, total_s=0.1, fewest_attempts=1)
    with FaultyProxy(served.url, [pack_fault(served, skip=6, status=503, times=None)]) as proxy:
        with pytest.raises(GaveUp, match="answers with status 503"):
            upload(here, served.connect(proxy.url, streams=2, patience=impatient), [pointer])
        assert served.connect().stored([pointer.oid]) == set()
    served.wait_until_stored(here, pointer, 6 * 4)
    done = upload(here, served.connect(), [pointer])
    assert done.bytes_sent < 16 * MIB + 10_000
    assert served.connect().stored([pointer.oid]) == {pointer.oid}


def test_a_fetch_that_was_given_up_goes_on_where_it_stopped(here: LocalStore, there: LocalStore, served: Served) -> None:
    pointer = add_object(here, served.noise(60 * MIB), piece=4 * MIB)
    upload(here, served.connect(), [pointer])
    impatient = replace(HASTY, total_s=0.1, fewest_attempts=1)
    with FaultyProxy(served.url, [range_fault(served, skip=3, cut_answer_after=0, times=None)]) as proxy:
        with pytest.raises(LeptonError):
            download(there, served.connect(proxy.url, streams=1, patience=impatient), [pointer])
        first = proxy.received
        proxy.faults.clear()
        proxy.reset_counts()
        download(there, served.connect(proxy.url), [pointer])
        assert first > 11 * MIB
        assert first + proxy.received < 60 * MIB + 4 * MIB + 100_000
    assert holds(there, pointer)
