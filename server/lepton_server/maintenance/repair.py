"""Brings back from a backup what scrub found damaged or missing: whole packs where the backup has them, else single chunks, coded anew.
What is sound in a pack that stays damaged moves out of it.

What is brought back is checked like all that comes in, and looked at again where it then lies. Places change in one transaction each,
so a run that is killed leaves what it has done.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlalchemy import select, update

from git_lepton.errors import CorruptData
from git_lepton.format.coding.codec import encode
from git_lepton.format.coding.encoded import EncodedChunk
from git_lepton.format.identifiers import ChunkId
from lepton_server.backends import IDENTITY_KEY
from lepton_server.backup.archive import Archive
from lepton_server.backup.salvage import salvage
from lepton_server.content.chunks import Encoding, allowed_codecs, in_tenant
from lepton_server.content.decoder import Decoder
from lepton_server.content.packs import contents_of
from lepton_server.database.tables import encodings, facts, packs
from lepton_server.database.transactions import Database, in_batches
from lepton_server.maintenance.pack_replacement import move_out, put_in_place
from lepton_server.maintenance.pack_writer import write_packs
from lepton_server.maintenance.scrub import BadPack, Scrubbed, Scrubber
from lepton_server.storage.object_store import ObjectStore, new_key, put

_ROUNDS = 5  # a chain has at most three bases, and each round brings back one more


@dataclass
class Repaired:
    """What was brought back; `left` is what still is wrong."""

    packs: int = 0
    chunks: int = 0
    left: Scrubbed = field(default_factory=Scrubbed)


class Repairer:
    """One run of repair. No other maintenance may run meanwhile."""

    def __init__(self, database: Database, store: ObjectStore, archive: Archive, threads: int) -> None:
        self._database, self._store, self._archive, self._threads = database, store, archive, threads
        self._decoder = Decoder(store, threads)

    def run(self, found: Scrubbed) -> Repaired:
        """Repair what a scrub found."""
        done = Repaired(left=found)
        try:
            done.packs = sum(self._replace(bad) for bad in found.bad)
            for _ in range(_ROUNDS):
                before, done.left = done.left, self._look_again(found)
                roots = self._roots(done.left)
                if not roots:
                    break
                brought = sum(self._bring_back(tenant, chunks) for tenant, chunks in roots.items())
                done.chunks += brought
                if not brought and before.unreadable() == done.left.unreadable():
                    break
            if sum(map(self._leave, done.left.bad)):
                done.left = self._look_again(found)
        finally:
            self._decoder.close()
        return done

    def _replace(self, bad: BadPack) -> bool:
        """Put the backup's copy of a pack in its place, if there is one, and its own bytes are to blame."""
        if not bad.findings.problems:
            return False
        try:
            data = self._archive.pack(bad.name)
        except CorruptData:
            return False  # the copy is damaged too
        if data is None:
            return False
        key = new_key(bad.tenant)
        put(self._store, key, data)
        with self._database.write() as connection:
            same = (packs.c.id == bad.id) & (packs.c.storage_key == bad.key) & (packs.c.state == "verified")
            moved = connection.execute(update(packs).where(same).values(storage_key=key, size=len(data))).rowcount
        self._store.delete(bad.key if moved else key)
        return bool(moved)

    def _leave(self, bad: BadPack) -> bool:
        """Whether a pack of which only bytes are damaged that nobody needs is left by those that are needed."""
        if bad.missing or bad.findings.unreadable:
            return False
        with self._database.read() as connection:
            live = contents_of(connection, {bad.id: bad.key})
        return move_out(self._database, self._store, self._decoder, bad.tenant, live) == len(live)

    def _look_again(self, found: Scrubbed) -> Scrubbed:
        """Scrub again the packs that were bad, and at those in which their chunks lie by now."""
        numbers = {bad.id for bad in found.bad}
        with self._database.read() as connection:
            for tenant, chunks in found.unreadable().items():
                for batch in in_batches(sorted(chunks)):
                    here = (encodings.c.tenant == tenant) & encodings.c.chunk.in_(batch)
                    numbers.update(connection.execute(select(encodings.c.pack).where(here)).scalars())
        scrubber = Scrubber(self._database, self._store, self._threads)
        try:
            return scrubber.look_at(numbers)
        finally:
            scrubber.close()

    def _roots(self, seen: Scrubbed) -> dict[int, dict[bytes, Encoding]]:
        """Unreadable chunks, by tenant, that lie on nothing unreadable: what lies on them may be sound."""
        roots: dict[int, dict[bytes, Encoding]] = {}
        with self._database.read() as connection:
            for tenant, chunks in seen.unreadable().items():
                found = in_tenant(connection, tenant, chunks)
                roots[tenant] = {chunk: one for chunk, one in found.items() if one.base not in chunks}
        return {tenant: chunks for tenant, chunks in roots.items() if chunks}

    def _bring_back(self, tenant: int, lost: dict[bytes, Encoding]) -> int:
        """How many of these chunks a backup had."""
        with self._database.read() as connection:
            allowed = allowed_codecs(connection, tenant, lost)
        count = 0
        for pack in write_packs(self._store, tenant, self._salvaged(tenant, lost, allowed)):
            count += len(put_in_place(self._database, self._store, self._decoder, tenant, pack).taken)
        return count

    def _salvaged(
        self, tenant: int, lost: dict[bytes, Encoding], allowed: dict[bytes, frozenset[int]]
    ) -> Iterator[tuple[Encoding, EncodedChunk]]:
        left = set(lost)
        for server in self._servers():
            for name, data in salvage(self._archive, server, tenant, frozenset(left), self._threads):
                yield lost[name], encode(data, "", allowed.get(name, frozenset({0})), ChunkId(name))
                left.discard(name)
            if not left:
                return

    def _servers(self) -> list[str]:
        """The servers whose backups are asked: this one first, then those that it may have been restored from. What they have is compared
        with its name anyway."""
        with self._database.read() as connection:
            ours = str(connection.execute(select(facts.c.value).where(facts.c.name == IDENTITY_KEY)).scalar_one())
        return list(dict.fromkeys([ours, *(snapshot.server for snapshot in reversed(self._archive.snapshots()))]))
