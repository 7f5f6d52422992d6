"""`lepton-server purge`: makes one object be nowhere any more, at once, and keeps it from coming back (docs/decisions/0013).

First a tombstone, in the transaction that takes the object out of every repository: from then on nobody gets it and it is not taken
again. Then what others have coded on its chunks is coded anew without them; the chunks that no other object needs are dropped; every
pack in which their bytes lie is written anew without them and deleted, whoever reads it at the moment. What a purge that was killed
has left, the next one of the same object ends: what it consisted of is forgotten last.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy import Connection, Select, delete, func, select, update

from git_lepton.errors import CorruptData, WeightsMissing
from git_lepton.format.manifest import parse_manifest
from lepton_server.content import chains, tombstones
from lepton_server.content.chunks import allowed_codecs, in_tenant, with_bases
from lepton_server.content.decoder import Decoder
from lepton_server.database.tables import (
    backups,
    chunk_links,
    encodings,
    object_links,
    objects,
    repositories,
    share_files,
    shares,
    upload_manifests,
    uploads,
)
from lepton_server.database.transactions import Database, in_batches
from lepton_server.identity import audit_log
from lepton_server.maintenance.delta_rebase import Rebaser
from lepton_server.maintenance.live_chunks import Needed
from lepton_server.maintenance.pack_replacement import put_in_place
from lepton_server.maintenance.pack_writer import write_packs
from lepton_server.maintenance.purge_packs import Sweeper
from lepton_server.repositories import quotas
from lepton_server.repositories.registry import by_ids as repositories_by_ids
from lepton_server.storage.object_store import ObjectStore
from lepton_server.uploads import records

_TRIES = 10  # to code anew what others go on coding on its chunks


@dataclass
class Purged:
    """What a run did, or would do. `held_by`: the repositories that had it; `kept_chunks` also belong to other files and stay;
    `backups` may hold the object still."""

    oid: str
    held_by: list[str] = field(default_factory=list)
    repositories: int = 0
    shares: int = 0
    dropped_chunks: int = 0
    kept_chunks: int = 0
    recoded_chunks: int = 0
    packs_deleted: int = 0
    bytes_deleted: int = 0
    backups: list[str] = field(default_factory=list)


class NothingToPurge(WeightsMissing):
    """No repository holds the object, and it was not purged before."""


class StillDamaged(CorruptData):
    """Other weights that lie on what is to go cannot be read, so they cannot be coded without it."""


class _OnlyLooked(Exception):
    """Undoes the transaction of a preview."""


class Purger:
    """Purges objects from one tenant. No other maintenance may run meanwhile."""

    def __init__(self, database: Database, store: ObjectStore, tenant: int, threads: int) -> None:
        self._database, self._store, self._tenant, self._threads = database, store, tenant, threads

    def run(self, oid: bytes, reason: str, by: str) -> Purged:
        """Purge. Raises NothingToPurge, StillDamaged (all else is done; mend that, then run it again)."""
        decoder = Decoder(self._store, self._threads)
        done = Purged(oid.hex())
        try:
            with self._database.write() as connection:
                self._take_away(connection, oid, reason, by, done)
            needed, chunks = self._chunks(oid)
            doomed = self._free_others(decoder, needed, chunks, done)
            done.kept_chunks = len(chunks) - len(doomed)
            sweeper = Sweeper(self._database, self._store, decoder, self._tenant)
            sweeper.sweep(doomed)
            done.packs_deleted, done.bytes_deleted = sweeper.packs_deleted, sweeper.bytes_deleted
            with self._database.write() as connection:
                self._forget(connection, oid)
                audit_log.note(connection, None, "object.purge.end", subject=oid.hex(), chunks=done.dropped_chunks)
        finally:
            decoder.close()
        return done

    def preview(self, oid: bytes) -> Purged:
        """What a run would do, bytes of packs aside; nothing changes. Raises NothingToPurge."""
        done = Purged(oid.hex())
        needed = Needed(self._tenant)
        try:
            with self._database.write() as connection:
                self._take_away(connection, oid, "", "", done)
                needed.update(connection)
                chunks = _chunks_of(self._manifests(connection, oid))
                doomed = needed.lacks(chunks)
                done.kept_chunks = len(chunks) - len(doomed)
                lying = chains.lying_on(connection, self._tenant, doomed)
                done.recoded_chunks = len({chunk for chunk, _, _ in lying} - doomed)
                done.packs_deleted = len({encoding.pack for encoding in in_tenant(connection, self._tenant, doomed).values()})
                done.dropped_chunks = self._drop(connection, doomed)
                raise _OnlyLooked
        except _OnlyLooked:
            return done

    def _take_away(self, connection: Connection, oid: bytes, reason: str, by: str, done: Purged) -> None:
        held = (object_links.c.oid == oid) & object_links.c.repository.in_(self._here())
        came = connection.execute(select(func.min(object_links.c.created)).where(held)).scalar_one()
        sizes = connection.execute(select(objects.c.size).where(objects.c.tenant == self._tenant, objects.c.oid == oid))
        size = next(iter(sizes.scalars()), None)
        before = tombstones.purged(connection, self._tenant, oid)
        if size is None and before is None:
            raise NothingToPurge(
                f"nothing stored here has the oid {oid.hex()}", "Check it: git lepton ls-files --long shows oids."
            )
        if before is None:
            tombstones.set_purged(connection, self._tenant, oid, int(size or 0), reason, by)
        holders = repositories_by_ids(connection, select(object_links.c.repository).where(held))
        done.held_by = [repository.full_name for repository in holders]
        done.repositories = connection.execute(delete(object_links).where(held)).rowcount
        done.shares = self._end_shares(connection, oid)
        self._end_uploads(connection, oid)
        stone = tombstones.purged(connection, self._tenant, oid)
        assert stone is not None
        finished = backups.c.finished.is_not(None) & (backups.c.started <= stone.created) & (backups.c.finished >= (came or 0))
        done.backups = list(connection.execute(select(backups.c.destination).where(finished).distinct()).scalars())
        held_by, copies = done.repositories, done.backups
        audit_log.note(
            connection,
            None,
            "object.purge",
            subject=oid.hex(),
            reason=reason,
            ordered_by=by,
            repositories=held_by,
            backups=copies,
        )

    def _here(self) -> Select[int]:
        return select(repositories.c.id).where(repositories.c.tenant == self._tenant)

    def _end_shares(self, connection: Connection, oid: bytes) -> int:
        """Links that were given away and lead to the object do so no longer; one that leads to nothing else is revoked."""
        ours = select(shares.c.id).where(shares.c.repository.in_(self._here()))
        numbers = set(
            connection.execute(
                select(share_files.c.share).where(share_files.c.oid == oid, share_files.c.share.in_(ours))
            ).scalars()
        )
        connection.execute(delete(share_files).where(share_files.c.oid == oid, share_files.c.share.in_(sorted(numbers))))
        left = set(connection.execute(select(share_files.c.share).where(share_files.c.share.in_(sorted(numbers)))).scalars())
        over = shares.c.id.in_(sorted(numbers - left)) & shares.c.revoked.is_(None)
        connection.execute(update(shares).where(over).values(revoked=shares.c.created))
        return len(numbers)

    def _end_uploads(self, connection: Connection, oid: bytes) -> None:
        """Uploads that bring the object fail; what else they brought and was verified is there."""
        bringing = select(upload_manifests.c.upload).where(upload_manifests.c.oid == oid)
        alive = uploads.c.state.in_(["open", "verifying"]) & uploads.c.repository.in_(self._here())
        for upload in connection.execute(select(uploads.c.id).where(alive, uploads.c.id.in_(bringing))).scalars().all():
            records.fail(connection, upload, oid.hex(), "forbidden", f"{oid.hex()} was purged while it was sent")
            connection.execute(update(uploads).where(uploads.c.id == upload).values(state="failed"))

    def _chunks(self, oid: bytes) -> tuple[Needed, set[bytes]]:
        """What all others need at this moment, and the chunks that the object consists of."""
        needed = Needed(self._tenant)
        with self._database.read() as connection:
            needed.update(connection)
            manifests = self._manifests(connection, oid)
        return needed, _chunks_of(manifests)

    def _manifests(self, connection: Connection, oid: bytes) -> list[bytes]:
        stored = select(objects.c.manifest).where(objects.c.tenant == self._tenant, objects.c.oid == oid)
        ours = select(uploads.c.id).where(uploads.c.repository.in_(self._here()))
        sent = select(upload_manifests.c.manifest).where(upload_manifests.c.oid == oid, upload_manifests.c.upload.in_(ours))
        return [*connection.execute(stored).scalars(), *connection.execute(sent).scalars()]

    def _free_others(self, decoder: Decoder, needed: Needed, chunks: set[bytes], done: Purged) -> set[bytes]:
        """Code anew whatever lies on chunks that no other object needs, and is none of them, until nothing does; then drop these.

        Which they are is asked again in the transaction that drops them: an upload may have been acknowledged meanwhile.
        """
        for _ in range(_TRIES):
            with self._database.write() as connection:
                needed.update(connection)
                doomed = needed.lacks(chunks)
                on_them = {chunk for chunk, _, _ in chains.lying_on(connection, self._tenant, doomed)} - doomed
                if not on_them:
                    done.dropped_chunks = self._drop(connection, doomed)
                    return doomed
            recoded = self._recode(decoder, on_them, doomed)
            done.recoded_chunks += recoded
            if not recoded:
                break
        raise StillDamaged(
            f"{len(on_them)} chunks of other weights lie on what is to go, and cannot be coded without it",
            "Run lepton-server scrub; when that is mended, run this again. The object itself is out of all repositories.",
        )

    def _recode(self, decoder: Decoder, chunks: Iterable[bytes], doomed: set[bytes]) -> int:
        with self._database.read() as connection:
            found = in_tenant(connection, self._tenant, chunks)
            whole = with_bases(connection, self._tenant, found)
            allowed = allowed_codecs(connection, self._tenant, found)
        order = sorted(found.values(), key=lambda encoding: (encoding.pack, encoding.offset))
        rebaser = Rebaser(self._store, decoder, self._threads)
        written = write_packs(self._store, self._tenant, rebaser.recoded(order, whole, allowed, doomed))
        return sum(len(put_in_place(self._database, self._store, decoder, self._tenant, pack).taken) for pack in written)

    def _drop(self, connection: Connection, doomed: set[bytes]) -> int:
        count = 0
        for batch in in_batches(sorted(doomed)):
            linked = chunk_links.c.chunk.in_(batch) & chunk_links.c.repository.in_(self._here())
            connection.execute(delete(chunk_links).where(linked))
            stored = (encodings.c.tenant == self._tenant) & encodings.c.chunk.in_(batch)
            count += connection.execute(delete(encodings).where(stored)).rowcount
        quotas.forget_count(connection, self._tenant)
        return count

    def _forget(self, connection: Connection, oid: bytes) -> None:
        connection.execute(delete(objects).where(objects.c.tenant == self._tenant, objects.c.oid == oid))
        ours = select(uploads.c.id).where(uploads.c.repository.in_(self._here()))
        connection.execute(delete(upload_manifests).where(upload_manifests.c.oid == oid, upload_manifests.c.upload.in_(ours)))


def _chunks_of(manifests: Iterable[bytes]) -> set[bytes]:
    return {entry.chunk.raw for manifest in manifests for entry in parse_manifest(manifest).entries}
