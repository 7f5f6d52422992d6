"""Files are rebuilt from chunks whatever the order in which they become known."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from git_lepton.format.identifiers import ChunkId, ObjectId
from git_lepton.format.manifest import Manifest, ManifestEntry
from lepton_server.content.rebuild import Rebuild, Rebuilds

PIECES = [bytes([letter]) * (letter - 60) for letter in b"abcd"]


def rebuild_of(pieces: list[bytes]) -> Rebuild:
    data = b"".join(pieces)
    oid = ObjectId(hashlib.sha256(data).digest())
    entries = tuple(ManifestEntry(ChunkId.of(piece), len(piece)) for piece in pieces)
    return Rebuild(oid, Manifest(oid, len(data), entries).encode())


@given(st.lists(st.lists(st.sampled_from(PIECES), min_size=1, max_size=8), min_size=1, max_size=4), st.randoms())
def test_every_file_is_whole_in_the_end(files: list[list[bytes]], chance: object) -> None:
    rebuilds = Rebuilds()
    kept = {}
    for pieces in files:
        rebuild = rebuild_of(pieces)
        if rebuild.oid not in rebuilds:
            rebuilds.add(rebuild)
            kept[rebuild.oid] = rebuild, b"".join(pieces)
    while any(rebuild.next for rebuild in rebuilds):
        piece = chance.choice(PIECES)  # type: ignore[attr-defined]
        for moved in rebuilds.feed(ChunkId.of(piece).raw, piece):
            assert moved.oid in rebuilds
    assert all(rebuild.matches for rebuild, _ in kept.values())
    assert rebuilds.fed_bytes == sum(len(data) for _, data in kept.values())


def test_upcoming_and_chunks_are_in_file_order() -> None:
    rebuild = rebuild_of([PIECES[0], PIECES[1], PIECES[0]])
    names = [ChunkId.of(piece).raw for piece in (PIECES[0], PIECES[1], PIECES[0])]
    assert rebuild.chunks() == names == list(rebuild.upcoming(10))
    rebuild.feed(PIECES[0])
    assert list(rebuild.upcoming(1)) == names[1:2]


def test_a_chunk_of_another_length_ends_it() -> None:
    rebuild = rebuild_of([PIECES[0], PIECES[1]])
    rebuild.feed(PIECES[0] + b"x")
    assert rebuild.next is None
    assert not rebuild.matches


def test_other_bytes_do_not_match() -> None:
    rebuild = rebuild_of([PIECES[0]])
    rebuild.feed(bytes(len(PIECES[0])))
    assert rebuild.next is None
    assert not rebuild.matches
