"""The rules of encodings in the database: first ones stand, chains stay short and closed, nothing is found where it may not be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest
from sqlalchemy import Connection, insert, select, update

from lepton_server.content import chunks
from lepton_server.content.borrowed_bases import Push
from lepton_server.content.chunks import Encoding
from lepton_server.content.pack_reader import PackRefused, ReceivedPack
from lepton_server.database.tables import chunk_links, encodings, leases, packs, tenants, uploads
from lepton_server.database.tables import repositories as rows
from lepton_server.database.transactions import Database
from lepton_server.identity.accounts import caller_by_id, ensure_account
from lepton_server.identity.caller import Caller
from lepton_server.repositories import registry
from lepton_server.repositories.registry import Repository
from lepton_server.uploads import admission
from lepton_server.uploads.admission import BaseAbsent

A, B, C, D, E = (bytes([letter]) * 32 for letter in b"abcde")


@dataclass
class World:
    """Two people with a repository each, in one transaction that never ends."""

    connection: Connection
    ann: Caller
    ben: Caller
    of_ann: Repository
    of_ben: Repository
    packs: int = 0

    def receive(
        self, caller: Caller, repository: Repository, *chain: tuple[bytes, bytes | None], codec: int = 0, lease: str = ""
    ) -> bool:
        """A pack of chunks on bases, verified; whether it is of any use."""
        pack = self._pack(caller, repository)
        if lease:
            self.lease(pack.id, lease)
        placed, _ = admission.place_bases(self.connection, Push(caller, repository), self._encodings(pack, codec, chain))
        return admission.record_pack(self.connection, Push(caller, repository), pack, placed)

    def place(
        self, caller: Caller, repository: Repository, *chain: tuple[bytes, bytes | None]
    ) -> tuple[list[Encoding], chunks.Encodings]:
        pack = self._pack(caller, repository)
        return admission.place_bases(self.connection, Push(caller, repository), self._encodings(pack, 0, chain))

    def _pack(self, caller: Caller, repository: Repository) -> ReceivedPack:
        self.packs += 1
        row = {"id": self.packs, "tenant": 1, "repository": repository.id, "uploader": caller.account, "name": bytes(32)}
        row |= {"storage_key": f"key{self.packs}", "size": 1000, "state": "received", "received": 0}
        self.connection.execute(insert(packs).values(row))
        return ReceivedPack(self.packs, bytes(32), f"key{self.packs}", 1000)

    def _encodings(self, pack: ReceivedPack, codec: int, chain: Sequence[tuple[bytes, bytes | None]]) -> list[Encoding]:
        return [
            Encoding(chunk, pack.id, pack.storage_key, 96 + 100 * place, 10, 20, codec, 0, base, 7)
            for place, (chunk, base) in enumerate(chain)
        ]

    def lease(self, pack: int, upload: str) -> None:
        row = {"id": upload, "repository": self.of_ann.id, "account": self.ann.account, "state": "open"}
        self.connection.execute(insert(uploads).values({**row, "created": 0, "expires": 0, "verified_bytes": 0}))
        self.connection.execute(insert(leases).values(pack=pack, upload=upload))

    def leased(self, upload: str) -> set[int]:
        return set(self.connection.execute(select(leases.c.pack).where(leases.c.upload == upload)).scalars())

    def show(self, repository: Repository) -> None:
        """Let everybody in the tenant read it."""
        self.connection.execute(update(rows).where(rows.c.id == repository.id).values(visibility="internal"))

    def seen(self, repository: Repository) -> set[bytes]:
        return set(chunks.linked(self.connection, repository, [A, B, C, D, E]))

    def encoding(self, chunk: bytes) -> Encoding:
        return chunks.in_tenant(self.connection, 1, [chunk])[chunk]

    def check_closed(self) -> None:
        """Wherever a chunk is linked, its bases are."""
        for repository in (self.of_ann, self.of_ben):
            found = chunks.linked(self.connection, repository, [A, B, C, D, E])
            assert {encoding.base for encoding in found.values() if encoding.base} <= found.keys()


@pytest.fixture
def world(database: Database) -> Iterator[World]:
    with database.write() as connection:
        people = [caller_by_id(connection, ensure_account(connection, name)) for name in ("ann", "ben")]
        theirs = [registry.create(connection, person, person.name, "models") for person in people]
        made = World(connection, people[0], people[1], theirs[0], theirs[1])
        yield made
        made.check_closed()


def test_a_chain_is_counted_by_what_is_stored_here(world: World) -> None:
    world.receive(world.ann, world.of_ann, (A, None), (B, A))
    world.receive(world.ann, world.of_ann, (C, B), (D, C))
    assert [world.encoding(chunk).depth for chunk in (A, B, C, D)] == [0, 1, 2, 3]
    with pytest.raises(PackRefused) as refused:
        world.receive(world.ann, world.of_ann, (E, D))
    assert refused.value.code == "conflict"


def test_the_first_encoding_stands(world: World) -> None:
    world.receive(world.ann, world.of_ann, (A, None), (B, A))
    before = world.encoding(B)
    assert world.receive(world.ann, world.of_ann, (B, None)) is False
    assert world.encoding(B) == before
    assert world.connection.execute(select(packs.c.id).where(packs.c.id == world.packs)).all() == []


def test_a_known_chunk_on_a_base_that_the_sender_may_not_read_becomes_solo(world: World) -> None:
    world.receive(world.ann, world.of_ann, (A, None), (B, A))
    assert world.receive(world.ben, world.of_ben, (B, None)) is True
    assert world.encoding(B).base is None
    assert world.seen(world.of_ben) == {B}  # and not A, which ben never had
    assert world.seen(world.of_ann) == {A, B}


def test_such_a_chunk_on_a_base_of_ones_own_is_refused(world: World) -> None:
    world.receive(world.ann, world.of_ann, (A, None), (B, A))
    with pytest.raises(PackRefused) as refused:
        world.receive(world.ben, world.of_ben, (C, None), (B, C))
    assert refused.value.code == "conflict"


def test_a_base_that_was_sent_too_may_be_linked(world: World) -> None:
    world.receive(world.ann, world.of_ann, (A, None), (B, A))
    assert world.receive(world.ben, world.of_ben, (A, None), (B, None)) is False
    assert world.seen(world.of_ben) == {A, B}
    assert world.encoding(B).base == A


def test_a_chain_on_a_chunk_that_lies_deep_here_is_shortened(world: World) -> None:
    world.receive(world.ann, world.of_ann, (A, None), (B, A), (C, B), (D, C))
    world.receive(world.ann, world.of_ann, (D, None), (E, D))
    assert (world.encoding(D).depth, world.encoding(E).depth) == (0, 1)


def test_a_foreign_base_that_the_sender_may_read_is_linked(world: World) -> None:
    world.receive(world.ann, world.of_ann, (A, None), (B, A))
    world.show(world.of_ann)
    world.receive(world.ben, world.of_ben, (C, A))
    assert world.seen(world.of_ben) == {A, C}


def test_what_a_foreign_chunk_lies_on_is_not_linked_unasked(world: World) -> None:
    world.receive(world.ann, world.of_ann, (A, None), (B, A))
    world.show(world.of_ann)
    assert chunks.resolve(world.connection, world.ben, world.of_ben, [A, B]).keys() == {A}
    with pytest.raises(BaseAbsent):
        world.receive(world.ben, world.of_ben, (C, B))
    assert world.receive(world.ben, world.of_ben, (B, None)) is True
    assert (world.seen(world.of_ben), world.encoding(B).base) == ({B}, None)


def test_who_names_the_base_of_a_foreign_delta_shares_it(world: World) -> None:
    world.receive(world.ann, world.of_ann, (A, None), (B, A))
    world.show(world.of_ann)
    assert world.receive(world.ben, world.of_ben, (B, A)) is False
    assert (world.seen(world.of_ben), world.encoding(B).base) == ({A, B}, A)
    assert chunks.resolve(world.connection, world.ben, world.of_ben, [A, B]).keys() == {A, B}


def test_a_replacement_is_coded_as_all_holders_of_the_chunk_allow(world: World) -> None:
    world.receive(world.ann, world.of_ann, (A, None), (B, A))
    world.connection.execute(update(rows).where(rows.c.id == world.of_ann.id).values(codecs="0,1"))
    with pytest.raises(PackRefused) as refused:
        world.receive(world.ben, world.of_ben, (B, None), codec=2)
    assert refused.value.code == "conflict"
    world.receive(world.ann, world.of_ann, (B, None), (C, B), codec=2)  # would shorten the chain: B stays as it is
    assert world.encoding(B).base == A
    assert world.receive(world.ben, world.of_ben, (B, None), codec=1) is True


def test_a_delta_whose_base_lies_on_the_same_chunk_here(world: World) -> None:
    world.receive(world.ann, world.of_ann, (A, None), (B, A))
    placed, bases = world.place(world.ann, world.of_ann, (A, B))
    assert [encoding.depth for encoding in placed] == [2]
    assert bases[A] == world.encoding(A)
    assert world.receive(world.ann, world.of_ann, (A, B)) is False


def test_leases_follow_what_is_replaced_and_what_was_of_no_use(world: World) -> None:
    world.receive(world.ann, world.of_ann, (A, None), (B, A))
    world.lease(1, "first")
    world.receive(world.ben, world.of_ben, (B, None))
    assert world.leased("first") == {1, 2}
    world.receive(world.ann, world.of_ann, (A, None), (B, None), lease="second")
    assert world.leased("second") == {1, 2}  # and not the third, which went


def test_an_unreadable_base_is_as_missing_as_none(world: World) -> None:
    world.receive(world.ann, world.of_ann, (A, None))
    told = []
    for base in (A, E):
        with pytest.raises(PackRefused) as refused:
            world.receive(world.ben, world.of_ben, (C, base))
        told.append((refused.value.code, refused.value.message))
    assert told[0] == told[1]


def test_what_is_condemned_is_missing_and_can_be_sent_again(world: World) -> None:
    world.receive(world.ann, world.of_ann, (A, None))
    world.connection.execute(update(packs).values(state="condemned"))
    assert chunks.resolve(world.connection, world.ann, world.of_ann, [A]) == {}
    assert world.receive(world.ann, world.of_ann, (A, None)) is True
    assert world.encoding(A).pack == world.packs


def test_nothing_is_found_across_tenants(world: World) -> None:
    world.receive(world.ann, world.of_ann, (A, None))
    world.connection.execute(insert(tenants).values(id=2, name="other"))
    eve = Caller(world.ben.account, "eve", 2, admin=True)
    foreign = Repository(world.of_ben.id, 2, eve.account, "eve", "models", "hosted", "private", frozenset({0}), None)
    assert chunks.resolve(world.connection, eve, foreign, [A]) == {}
    assert chunks.resolve(world.connection, eve, world.of_ann, [B]) == {}
    assert chunks.in_tenant(world.connection, 2, [A]) == {}


def test_every_link_has_an_encoding(world: World) -> None:
    world.receive(world.ann, world.of_ann, (A, None), (B, A))
    linked = set(world.connection.execute(select(chunk_links.c.chunk)).scalars())
    assert linked <= set(world.connection.execute(select(encodings.c.chunk)).scalars())
