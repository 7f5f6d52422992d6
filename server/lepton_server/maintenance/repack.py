"""One run of `lepton-server repack`, beside a server that serves: nothing that is needed is ever lost, whenever it ends.

In order: delete what earlier runs condemned; code the deepest chunks anew; drop dead ones; write poor and small packs anew. A new
pack is durable and verified before its chunks move there, in one transaction; the old one stays readable for the grace period.
What a run that was killed leaves is a file without a row, or a condemned pack: the next runs clear it away.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields, replace

from sqlalchemy import Connection, func, select

from git_lepton.errors import CorruptData
from git_lepton.format.coding.encoded import EncodedChunk
from lepton_server.content import chunks
from lepton_server.content.chunks import Encoding
from lepton_server.content.decoder import Decoder
from lepton_server.content.packs import condemn_empty
from lepton_server.database.tables import packs
from lepton_server.database.transactions import Database
from lepton_server.maintenance import dead_chunks, delta_rebase, repack_selection, unused_packs
from lepton_server.maintenance.dead_chunks import Scope, Space
from lepton_server.maintenance.live_chunks import Needed
from lepton_server.maintenance.pack_replacement import put_in_place
from lepton_server.maintenance.pack_writer import NewPack, as_it_is, write_packs
from lepton_server.maintenance.repack_selection import Holding
from lepton_server.storage.object_store import ObjectStore


@dataclass
class Repacked:
    """What a run did, or would do. Bytes are those of packs; `condemned_bytes` is what goes when the grace period is over."""

    bytes_before: int = 0
    bytes_after: int = 0
    condemned_bytes: int = 0
    dropped_chunks: int = 0
    dropped_bytes: int = 0
    recoded_chunks: int = 0
    moved_chunks: int = 0
    moved_bytes: int = 0
    packs_read: int = 0
    packs_written: int = 0
    packs_condemned: int = 0
    packs_deleted: int = 0
    bytes_deleted: int = 0
    damaged: list[str] = field(default_factory=list)  # what is wrong with chunks that were left where they are

    def __add__(self, other: Repacked) -> Repacked:
        return Repacked(*(getattr(self, item.name) + getattr(other, item.name) for item in fields(self)))


def repack(database: Database, store: ObjectStore, scopes: Iterable[Scope], threads: int, *, dry_run: bool = False) -> Repacked:
    """A run over each scope. Nobody else may be at it."""
    total = Repacked()
    for scope in scopes:
        repacker = Repacker(database, store, scope, threads)
        total += repacker.preview() if dry_run else repacker.run()
    return total


class Repacker:
    """One run of repacking over one scope. `threads`: how many decode and code at once."""

    def __init__(self, database: Database, store: ObjectStore, scope: Scope, threads: int) -> None:
        self._database, self._store, self._scope, self._threads = database, store, scope, threads
        self._decoder = Decoder(store, threads)
        self.outcome = Repacked()

    def run(self) -> Repacked:
        try:
            self._run()
        finally:
            self._decoder.close()
        return self.outcome

    def preview(self) -> Repacked:
        """What a run would do now; nothing changes. What coding anew would save is not known before it is done."""
        needed = Needed(self._scope.tenant)
        with self._database.read() as connection:
            self.outcome.bytes_before, self.outcome.condemned_bytes = self._measure(connection)
            needed.update(connection)
            needed.add_bases(connection)
            self.outcome.recoded_chunks = len(delta_rebase.deepest(connection, self._scope, needed))
            dead = dead_chunks.find_dead(connection, self._scope, needed)
            holdings = _without(repack_selection.holdings(connection, self._scope), dead.values())
            useless = unused_packs.useless_packs(connection, self._scope.tenant, self._scope.grace_ms)
        groups = list(repack_selection.worth_rewriting(holdings))
        self._count_dropped(dead)
        read = [pack for group in groups for pack in group]
        self.outcome.packs_read, self.outcome.moved_chunks = len(read), sum(pack.chunks for pack in read)
        self.outcome.moved_bytes = sum(pack.live for pack in read)
        self.outcome.packs_condemned = len(read) + sum(not pack.chunks for pack in holdings)
        self.outcome.packs_deleted, self.outcome.bytes_deleted = len(useless), sum(size for _, _, size in useless)
        gone = sum(pack.size for pack in [*read, *(pack for pack in holdings if not pack.chunks)])
        self.outcome.bytes_after = self.outcome.bytes_before - gone + self.outcome.moved_bytes
        return self.outcome

    def _run(self) -> None:
        scope, outcome = self._scope, self.outcome
        outcome.packs_deleted, outcome.bytes_deleted = unused_packs.delete_useless(
            self._database, self._store, scope.tenant, scope.grace_ms
        )
        needed = Needed(scope.tenant)
        with self._database.read() as connection:
            outcome.bytes_before, _ = self._measure(connection)
            needed.update(connection)
        self._rebase(needed)
        with self._database.read() as connection:
            needed.add_bases(connection)
        self._count_dropped(dead_chunks.drop_dead(self._database, scope, needed))
        self._rewrite()
        with self._database.read() as connection:
            outcome.bytes_after, outcome.condemned_bytes = self._measure(connection)

    def _rebase(self, needed: Needed) -> None:
        tenant = self._scope.tenant
        with self._database.read() as connection:
            deep = delta_rebase.deepest(connection, self._scope, needed)
            whole = chunks.with_bases(connection, tenant, {encoding.chunk: encoding for encoding in deep})
            allowed = chunks.allowed_codecs(connection, tenant, [encoding.chunk for encoding in deep])
        rebaser = delta_rebase.Rebaser(self._store, self._decoder, self._threads)
        for pack in write_packs(self._store, tenant, rebaser.recoded(deep, whole, allowed)):
            self.outcome.recoded_chunks += self._put_in_place(pack)
        self.outcome.damaged += rebaser.damaged

    def _rewrite(self) -> None:
        with self._database.read() as connection:
            holdings = repack_selection.holdings(connection, self._scope)
        empty = [pack.id for pack in holdings if not pack.chunks]
        with self._database.write() as connection:
            self.outcome.packs_condemned += condemn_empty(connection, empty)
        for group in repack_selection.worth_rewriting(holdings):
            with self._database.read() as connection:
                found = repack_selection.contents(connection, group)
            self.outcome.packs_read += len(group)
            for pack in write_packs(self._store, self._scope.tenant, self._sound(found)):
                self.outcome.moved_chunks += self._put_in_place(pack)
                self.outcome.moved_bytes += pack.size

    def _sound(self, found: Iterable[Encoding]) -> Iterator[tuple[Encoding, EncodedChunk]]:
        """These with their payloads. What is damaged stays where it is, for a scrub to look at."""
        for encoding in found:
            try:
                yield encoding, as_it_is(self._store, encoding)
            except CorruptData as error:
                self.outcome.damaged.append(error.message)

    def _put_in_place(self, pack: NewPack) -> int:
        """Let a new pack take over; how many chunks it took. One that is not sound is dropped, and the old places stay."""
        try:
            result = put_in_place(self._database, self._store, self._decoder, self._scope.tenant, pack)
        except CorruptData as error:
            self.outcome.damaged.append(error.message)
            return 0
        self.outcome.packs_written += 1
        self.outcome.packs_condemned += result.condemned
        return len(result.taken)

    def _count_dropped(self, dead: dict[bytes, Space]) -> None:
        self.outcome.dropped_chunks, self.outcome.dropped_bytes = len(dead), sum(space.size for space in dead.values())

    def _measure(self, connection: Connection) -> tuple[int, int]:
        """Bytes of all packs of the tenant that hold chunks, and of the condemned ones."""
        query = select(packs.c.state, func.sum(packs.c.size)).where(packs.c.tenant == self._scope.tenant).group_by(packs.c.state)
        sizes: dict[str, int] = {state: int(size) for state, size in connection.execute(query)}
        return sizes.get("verified", 0), sizes.get("condemned", 0)


def _without(holdings: list[Holding], dead: Iterable[Space]) -> list[Holding]:
    """The holdings of the packs once these chunks are gone."""
    gone: dict[int, list[int]] = {}
    for space in dead:
        gone.setdefault(space.pack, []).append(space.size)
    return [
        replace(pack, live=pack.live - sum(gone.get(pack.id, [])), chunks=pack.chunks - len(gone.get(pack.id, [])))
        for pack in holdings
    ]
