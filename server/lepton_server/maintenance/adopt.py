"""`lepton-server scrub --adopt`: reads packs that the database does not know of back in, and tells it again which files it has forgotten.

Every chunk is decoded and compared with its name, every file rebuilt and compared with its SHA-256, before a row of it is written. Which
files there were, and where, the journal beside the packs says; they are shown nowhere but there, and to no more people than then. So is
what they lie on, which may be more than it was: packs are read back in as they are found, and one may code a chunk as another repository
had it. A pack without any note of its files is taken in all the same: gc leaves such chunks alone for as long as weights that a ref reaches
are missing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from sqlalchemy import Connection, insert, select

from git_lepton.errors import CheckFailed, CorruptData, LeptonError
from git_lepton.format.identifiers import ObjectId
from git_lepton.format.manifest import check_manifest
from git_lepton.format.pack import MAX_DEPTH
from lepton_server.content import borrowed_bases, journal, noted_repositories, objects, tombstones
from lepton_server.content.chunks import Encoding, Encodings, in_tenant, is_allowed, link, with_bases
from lepton_server.content.decoder import Decoder
from lepton_server.content.journal import Brought
from lepton_server.content.pack_reader import ReceivedPack, read_index, read_pack
from lepton_server.content.rebuild import Rebuild
from lepton_server.database.tables import encodings, packs, pending_packs, stray_files, tenants
from lepton_server.database.tables import repositories as repository_rows
from lepton_server.database.transactions import Database, clock
from lepton_server.identity import audit_log
from lepton_server.repositories import quotas
from lepton_server.repositories.registry import Repository
from lepton_server.storage.object_store import ObjectMissing, ObjectStore
from lepton_server.uploads import records

_ANY_CODEC = frozenset(range(256))  # what lies there was allowed; one that we do not know fails to decode
_RUN = 4_000


@dataclass
class Adopted:
    """What was read back in; `left` says of packs and files why not."""

    packs: int = 0
    chunks: int = 0
    files: int = 0
    left: list[str] = field(default_factory=list)


class _Lacking(LeptonError):
    """A base is not there, or not yet."""


class Adopter:
    """One run of adoption. No other maintenance may run meanwhile."""

    def __init__(self, database: Database, store: ObjectStore, threads: int) -> None:
        self._database, self._store = database, store
        self._decoder = Decoder(store, threads)
        self.outcome = Adopted()

    def run(self, since: int) -> Adopted:
        """Read in what the database does not know of, and the files of the notes after the number `since`."""
        try:
            self._adopt_packs()
            for note in journal.notes_since(self._store, since):
                self._adopt_files(note)
        finally:
            self._decoder.close()
        with self._database.write() as connection:
            done = self.outcome
            audit_log.note(
                connection, None, "scrub.adopt", packs=done.packs, chunks=done.chunks, files=done.files, left=len(done.left)
            )
        return self.outcome

    # Packs

    def _adopt_packs(self) -> None:
        """Adopt packs in rounds, since one may lie on another, until a round brings nothing."""
        waiting = list(self._strays())
        while waiting:
            lacking: dict[str, str] = {}
            for key in waiting:
                try:
                    self._adopt_pack(key)
                except ObjectMissing:
                    continue  # it was on its way to nowhere, and has gone
                except _Lacking as error:
                    lacking[key] = error.message
                except LeptonError as error:
                    self.outcome.left.append(f"pack {key}: {error.message}")
            if len(lacking) == len(waiting):
                self.outcome.left += [f"pack {key}: {why}" for key, why in lacking.items()]
                return
            waiting = list(lacking)

    def _strays(self) -> Iterator[str]:
        with self._database.read() as connection:
            known = set(connection.execute(select(packs.c.storage_key)).scalars())
            known.update(connection.execute(select(pending_packs.c.storage_key)).scalars())
        return (key for key in sorted(self._store.keys()) if key not in known)

    def _adopt_pack(self, key: str) -> None:
        """Adopt one pack. Raises _Lacking, CorruptData, ObjectMissing."""
        size = self._store.size(key)
        name, _ = read_index(self._store, key)
        with self._database.read() as connection:
            tenant = _tenant(connection, key)
            found = read_pack(self._store, ReceivedPack(0, name, key, size), _ANY_CODEC)
            placed, bases = _placed(connection, tenant, found)
        for _ in self._decoder.decoded(placed, bases):
            pass
        with self._database.write() as connection:
            self._record(connection, tenant, name, key, size, placed)

    def _record(self, connection: Connection, tenant: int, name: bytes, key: str, size: int, placed: list[Encoding]) -> None:
        if connection.execute(select(packs.c.id).where(packs.c.storage_key == key)).first():
            return  # it was on its way, and has arrived
        standing = in_tenant(connection, tenant, [encoding.chunk for encoding in placed])
        fresh = [encoding for encoding in placed if encoding.chunk not in standing]
        if not fresh:
            return  # all of it is stored elsewhere by now: gc takes the file away
        columns = repository_rows.c.id, repository_rows.c.owner
        home = connection.execute(
            select(*columns).where(repository_rows.c.tenant == tenant).order_by(columns[0]).limit(1)
        ).first()
        if home is None:
            raise CorruptData(f"there is no repository in tenant {tenant}")
        row = {"tenant": tenant, "repository": home[0], "uploader": home[1], "name": name, "storage_key": key, "size": size}
        made = connection.execute(insert(packs).values(**row, state="verified", received=clock(connection)))
        assert made.inserted_primary_key is not None
        number = made.inserted_primary_key[0]
        rows = [{"tenant": tenant, **one._replace(pack=number)._asdict()} for one in fresh]
        connection.execute(insert(encodings), [{k: v for k, v in one.items() if k != "storage_key"} for one in rows])
        connection.execute(stray_files.delete().where(stray_files.c.storage_key == key))
        self.outcome.packs, self.outcome.chunks = self.outcome.packs + 1, self.outcome.chunks + len(fresh)

    # Files

    def _adopt_files(self, note: str) -> None:
        try:
            files = journal.brought(self._store, note)
        except CorruptData as error:
            self.outcome.left.append(error.message)
            return
        for file in files:
            if why := self._why_not(file):
                self.outcome.left.append(f"{file.repository.name} sha256:{file.oid.hex()}: {why}")

    def _why_not(self, file: Brought) -> str:
        """Tell the database of a file again, unless it knows it, or has let go of it on the record. Else why that cannot be."""
        with self._database.read() as connection:
            again = noted_repositories.with_its_name(connection, file.repository)
            if again and objects.stored_objects(connection, again, [file.oid]):
                return ""
            try:
                repository = noted_repositories.meant(connection, file.repository)
            except noted_repositories.NotTheNoted as error:
                return error.message
            if objects.stored_objects(connection, repository, [file.oid]) or tombstones.of_objects(
                connection, repository, [file.oid]
            ):
                return ""
        try:
            check_manifest(file.manifest)
            rebuild = Rebuild(ObjectId(file.oid), file.manifest)
            whole = self._rebuilt(repository, rebuild)
            with self._database.write() as connection:
                repository = noted_repositories.meant(connection, file.repository)  # it may have been shown to more people since
                _check_bases(connection, repository, file, set(whole) - rebuild.common(set(whole)))
                link(connection, repository, whole)
                records.store_object(connection, repository, rebuild.oid, file.manifest)
        except _Lacking:
            return ""  # it was let go of since, or a ref names it, and says that it is missing
        except (LeptonError, quotas.QuotaExceeded) as error:
            return error.message
        self.outcome.files += 1
        return ""

    def _rebuilt(self, repository: Repository, rebuild: Rebuild) -> Collection[bytes]:
        """The chunks of a file, all that they lie on with them. Raises _Lacking, CorruptData."""
        whole: set[bytes] = set()
        while run := list(rebuild.upcoming(_RUN)):
            with self._database.read() as connection:
                found = in_tenant(connection, repository.tenant, run)
                located = with_bases(connection, repository.tenant, found)
            if not set(run) <= located.keys():
                raise _Lacking("a part of it is not there")
            if not all(is_allowed(encoding, located, repository) for encoding in found.values()):
                raise CorruptData("it is coded in a way that the repository does not allow")
            for _, data in self._decoder.decoded((located[name] for name in run), located):
                rebuild.feed(data)
            whole |= located.keys()
        if not rebuild.matches:
            raise CorruptData("its chunks do not give that file")
        return whole


def _check_bases(connection: Connection, repository: Repository, file: Brought, bases: set[bytes]) -> None:
    """Nobody's weights are published by being a base. Raises CheckFailed."""
    if borrowed_bases.restore(connection, repository, file.bases, bases):
        raise CheckFailed(
            "it now lies on weights that this repository did not hold and that not all who may read it may read elsewhere; "
            "who has a clone pushes it again (git lepton push --all)"
        )


def _tenant(connection: Connection, key: str) -> int:
    """Whose pack lies under a key. Raises CorruptData."""
    known = set(connection.execute(select(tenants.c.id)).scalars())
    first = key.partition("/")[0]
    number = int(first[1:]) if first.startswith("t") else min(known)  # keys of old versions are those of the first tenant
    if number not in known:
        raise CorruptData("it belongs to no tenant that the database knows")
    return number


def _placed(connection: Connection, tenant: int, found: list[Encoding]) -> tuple[list[Encoding], Encodings]:
    """The encodings with the depth that they have here, and where all bases lie. Raises _Lacking."""
    wanted = {name for encoding in found for name in (encoding.chunk, encoding.base) if name}
    bases = with_bases(connection, tenant, in_tenant(connection, tenant, wanted))
    placed: list[Encoding] = []
    for encoding in found:
        if encoding.base and encoding.base not in bases:
            raise _Lacking(f"the base of chunk {encoding.chunk.hex()} is not stored")
        depth = bases[encoding.base].depth + 1 if encoding.base else 0
        if depth > MAX_DEPTH:
            raise CorruptData(f"chunk {encoding.chunk.hex()} would lie on more than {MAX_DEPTH} bases")
        placed.append(encoding._replace(depth=depth))
        bases.setdefault(encoding.chunk, placed[-1])
    return placed, bases
