"""What a server says it took away, as a client takes it."""

from __future__ import annotations

from git_lepton.format.identifiers import ObjectId
from git_lepton.store.local_store import LocalStore
from git_lepton.transfer.tombstones import is_whole, taken_away
from git_lepton.wire.tombstones import Tombstone, Tombstones
from tests.store.making import pack_files
from tests.transfer.conftest import Connect
from tests.transfer.scripted_server import ScriptedServer, json_answer
from tests.transfer.weights import add_object

ASKED = ObjectId(bytes(range(32)))


def test_stones_of_what_was_not_asked_for_are_passed_over_whatever_they_name(connect: Connect) -> None:
    stones = [Tombstone(oid, 5, "expired", "old", "ada", 1) for oid in ("zz", "", "00", "ab" * 32, ASKED.hex)]
    with ScriptedServer(lambda _: json_answer(Tombstones(stones))) as server:
        assert taken_away(connect(server.url), [ASKED]).keys() == {ASKED}


def test_what_has_a_damaged_manifest_here_is_not_whole(here: LocalStore) -> None:
    pointer = add_object(here, b"weights" * 1000)
    assert is_whole(here, pointer.oid)
    here.close()
    (pack,) = pack_files(here.root)
    manifest = here.manifest(pointer.oid)
    assert manifest is not None
    data = pack.read_bytes()
    pack.write_bytes(data.replace(manifest.encode(), b"\0" * len(manifest.encode())))
    with LocalStore(here.root) as again:
        assert not is_whole(again, pointer.oid)
