"""Versions that are coded against others, on their way to a real server and back: what travels in which form, and how much of it."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from git_lepton.format.coding.encoded import EncodedChunk
from git_lepton.format.identifiers import ChunkId
from git_lepton.format.pointer import Pointer
from git_lepton.store.local_store import LocalStore
from git_lepton.transfer.download import download
from git_lepton.transfer.push_bases import BaseSources, Reached
from git_lepton.transfer.upload import upload
from git_lepton.wire.messages import NewRepository
from tests.support.versions import History
from tests.transfer.conftest import Served, Watcher
from tests.transfer.weights import holds

SOLO = 300_000  # bytes that a chunk takes at least without a base
DELTA = 120_000  # and at most against the version before


@pytest.fixture
def history(request: pytest.FixtureRequest) -> History:
    return History(zlib.crc32(request.node.name.encode()) % 10_000)


@pytest.fixture
def kept(served: Served) -> Callable[[ChunkId], tuple[int, int, bytes | None]]:
    """Codec, depth and base of a chunk, as the server's database has them."""

    def look(name: ChunkId) -> tuple[int, int, bytes | None]:
        with closing(sqlite3.connect(served.server.data / "lepton.sqlite")) as database:
            query = "SELECT codec, depth, base FROM encodings WHERE chunk = ?"
            found: tuple[int, int, bytes | None] = database.execute(query, [name.raw]).fetchone()
        return found

    return look


Kept = Callable[[ChunkId], tuple[int, int, bytes | None]]


def on(*pointers: Pointer) -> BaseSources:
    """The destination's refs reach these."""
    return BaseSources(Reached(pointer.oid for pointer in pointers))


def restrict(served: Served, name: str, codecs: Sequence[int]) -> None:
    """As in a repository that was made by an older server: no command takes a codec away."""
    with closing(sqlite3.connect(served.server.data / "lepton.sqlite")) as database, database:
        text = ",".join(map(str, codecs))
        assert database.execute("UPDATE repositories SET codecs = ? WHERE name = ?", [text, name]).rowcount == 1


def test_versions_in_a_row_travel_as_what_changed(
    here: LocalStore, there: LocalStore, served: Served, history: History, kept: Kept
) -> None:
    remote = served.connect()
    before = history.add(here, 0)
    first = upload(here, remote, [before])
    assert first.bytes_sent > SOLO
    for number in (1, 2, 3):
        pointer = history.add(here, number, number - 1)
        done = upload(here, remote, [pointer], sources=on(before))
        before = pointer
        assert done.bytes_sent < DELTA
        assert kept(history.name(number))[1:] == (number, history.name(number - 1).raw)
    received = download(there, remote, [pointer]).bytes_received
    assert SOLO < received < SOLO + 4 * DELTA
    assert holds(there, pointer)


def test_all_of_a_chain_at_once_to_an_empty_repository(
    here: LocalStore, there: LocalStore, served: Served, history: History
) -> None:
    pointers = [history.add(here, 0), *(history.add(here, number, number - 1) for number in (1, 2, 3))]
    done = upload(here, served.connect(), pointers[::-1])
    assert SOLO < done.bytes_sent < SOLO + 3 * DELTA
    download(there, served.connect(), pointers)
    assert all(holds(there, pointer) for pointer in pointers)


def test_the_newest_alone_to_an_empty_repository_goes_without_a_base(
    here: LocalStore, there: LocalStore, served: Served, history: History, kept: Kept
) -> None:
    history.add(here, 0)
    pointer = history.add(here, 1, 0)
    assert upload(here, served.connect(), [pointer]).bytes_sent > SOLO
    assert kept(history.name(1))[1:] == (0, None)
    download(there, served.connect(), [pointer])
    assert holds(there, pointer)


def test_an_amended_version_is_coded_against_what_is_there(
    here: LocalStore, there: LocalStore, served: Served, history: History, kept: Kept
) -> None:
    first = history.add(here, 0)
    upload(here, served.connect(), [first])
    history.add(here, 1, 0)  # committed, then amended
    pointer = history.add(here, 2, 1)
    assert upload(here, served.connect(), [pointer], sources=on(first)).bytes_sent < 2 * DELTA
    assert kept(history.name(2))[1:] == (1, history.name(0).raw)
    assert kept(history.name(1)) is None
    download(there, served.connect(), [pointer])
    assert holds(there, pointer)


@pytest.mark.parametrize("codecs", [(0, 1, 2), (0, 1), (0,)])
def test_a_repository_that_does_not_allow_deltas_gets_none(
    here: LocalStore, there: LocalStore, served: Served, history: History, kept: Kept, codecs: tuple[int, ...]
) -> None:
    remote = served.connect()
    remote.create(NewRepository())
    restrict(served, remote.repository.partition("/")[2], codecs)
    pointers = [history.add(here, 0), history.add(here, 1, 0)]
    upload(here, remote, pointers)
    for number in (0, 1):
        codec, depth, base = kept(history.name(number))
        assert (codec in codecs, depth, base) == (True, 0, None)
    download(there, remote, pointers)
    assert all(holds(there, pointer) for pointer in pointers)


def test_what_is_there_under_another_encoding_is_not_sent_and_serves_as_a_base(
    here: LocalStore, there: LocalStore, served: Served, history: History, kept: Kept, tmp_path: Path
) -> None:
    """Ada stored version 1 against 0. Bob made the same weights himself, without a base, and goes on from there."""
    upload(here, served.connect(), [history.add(here, 0), history.add(here, 1, 0)])
    with LocalStore(tmp_path / "bob") as bob:
        own = history.add(bob, 1)
        pointer = history.add(bob, 2, 1)
        assert upload(bob, served.connect(), [own, pointer]).bytes_sent < DELTA
    assert kept(history.name(1))[1:] == (1, history.name(0).raw)
    assert kept(history.name(2))[1:] == (2, history.name(1).raw)
    download(there, served.connect(), [pointer])
    assert holds(there, pointer)


def test_no_chunk_becomes_deeper_than_three_by_how_its_base_is_stored_there(
    here: LocalStore, there: LocalStore, served: Served, history: History, kept: Kept, tmp_path: Path
) -> None:
    upload(here, served.connect(), [history.add(here, 0), *(history.add(here, n, n - 1) for n in (1, 2, 3))])
    with LocalStore(tmp_path / "bob") as bob:
        known = history.add(bob, 3)
        pointer = history.add(bob, 4, 3)
        upload(bob, served.connect(), [pointer], sources=on(known))
    assert kept(history.name(3))[1] == 3
    assert kept(history.name(4))[1:] == (0, None)
    download(there, served.connect(), [pointer])
    assert holds(there, pointer)


def test_a_download_takes_a_base_that_lies_deeper_here(
    here: LocalStore, there: LocalStore, served: Served, history: History
) -> None:
    """There 3 has no base and 4 is coded against it; here 3 lies on three bases, and 4 must do without one."""
    upload(here, served.connect(), [history.add(here, 3), pointer := history.add(here, 4, 3)])
    history.add(there, 0)
    for number in (1, 2, 3):
        history.add(there, number, number - 1)
    assert download(there, served.connect(), [pointer]).bytes_received < DELTA
    assert there.depth(history.name(4)) == 0
    assert holds(there, pointer)


def test_deltas_that_the_server_refuses_go_without_a_base(
    here: LocalStore, served: Served, history: History, kept: Kept, progress: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the client believes of the server's depths is wrong: the server says so, and the push goes on."""
    remote = served.connect()
    upload(here, remote, [history.add(here, 0), *(history.add(here, n, n - 1) for n in (1, 2, 3))])
    (here.root.parent / "other").mkdir()
    with LocalStore(here.root.parent / "other") as bob:
        known = history.add(bob, 3)
        pointer = history.add(bob, 4, 3)
        truly = remote.have
        monkeypatch.setattr(remote, "have", lambda session, names, **how: dict.fromkeys(truly(session, names, **how), 0))
        done = upload(bob, remote, [pointer], progress, on(known))
    assert done.bytes_sent > SOLO
    assert any("sending them whole" in note for note in progress.notes)
    assert kept(history.name(4))[1:] == (0, None)


def test_the_payload_of_a_delta_is_sent_byte_for_byte(
    here: LocalStore, there: LocalStore, served: Served, history: History
) -> None:
    pointers = [history.add(here, 0), history.add(here, 1, 0)]
    upload(here, served.connect(), pointers)
    download(there, served.connect(), pointers)

    def stored(store: LocalStore) -> EncodedChunk:
        return store.encoded(history.name(1))

    assert stored(there) == stored(here)


def test_what_lies_below_a_base_that_is_here_is_not_fetched(
    here: LocalStore, there: LocalStore, served: Served, history: History
) -> None:
    """There 1 lies on 0; here it lies on nothing."""
    pointers = [history.add(here, 0), history.add(here, 1, 0), history.add(here, 2, 1)]
    upload(here, served.connect(), pointers)
    history.add(there, 1)
    assert download(there, served.connect(), pointers[2:]).bytes_received < DELTA
    assert there.missing([history.name(0)])
    assert holds(there, pointers[2])
