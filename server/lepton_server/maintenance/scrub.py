"""One run of `lepton-server scrub`: reads all that is stored, beside a server that serves, and says what is damaged or lost.

Memory holds one pack and what is decoded at once. Packs that move or go meanwhile are no findings: each is looked up again before it
is told of. A run that ends in the middle notes how far it came; `resume` goes on from there, and looks again at what was bad.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy import delete, insert, select

from lepton_server.content.chunks import Encoding, Encodings, with_bases
from lepton_server.content.decoder import Decoder
from lepton_server.content.packs import contents_of
from lepton_server.database.tables import facts, packs
from lepton_server.database.transactions import Database
from lepton_server.maintenance.pack_check import Findings, HeldPack, PackCheck
from lepton_server.storage.object_store import ObjectMissing, ObjectStore, StoreBusy, StoreTrouble

_POSITION = "scrub.position"
_NOTED_EVERY = 50  # packs


@dataclass(frozen=True)
class BadPack:
    """A pack that is not what it should be; `id` is its row's number."""

    id: int
    tenant: int
    name: bytes
    key: str
    missing: bool
    findings: Findings


@dataclass
class Scrubbed:
    """What a run saw. `stray_files` have no row: what is just arriving, or what gc will take away."""

    packs: int = 0
    chunks: int = 0
    bytes_read: int = 0
    stray_files: int = 0
    bad: list[BadPack] = field(default_factory=list)

    def unreadable(self) -> dict[int, dict[bytes, str]]:
        """The chunks that cannot be read, by tenant, and why."""
        found: dict[int, dict[bytes, str]] = {}
        for pack in self.bad:
            found.setdefault(pack.tenant, {}).update(pack.findings.unreadable)
        return {tenant: chunks for tenant, chunks in found.items() if chunks}


class Scrubber:
    """One run of scrub over all that is stored, or over some packs."""

    def __init__(self, database: Database, store: ObjectStore, threads: int) -> None:
        self._database, self._store = database, store
        self._held = HeldPack(store)
        self._decoder = Decoder(self._held, threads)
        self._check = PackCheck(self._held, self._decoder, threads)
        self.outcome = Scrubbed()

    def run(self, *, resume: bool = False) -> Scrubbed:
        """Look at everything. Raises StoreBusy where the storage cannot be reached; `resume` then goes on."""
        after, again = self._position() if resume else ("", [])
        keys = sorted(self._store.keys())
        for count, key in enumerate([*again, *(key for key in keys if key > after)], 1):
            self._look_at(key)
            if count % _NOTED_EVERY == 0:
                self._note(max(after, key))
        self._look_for_missing(set(keys))
        self._note(None)
        return self.outcome

    def look_at(self, numbers: Iterable[int]) -> Scrubbed:
        """Look at the packs of these numbers only, those of them that are still there."""
        with self._database.read() as connection:
            rows = connection.execute(select(packs.c.storage_key).where(packs.c.id.in_(list(numbers)))).scalars().all()
        for key in rows:
            self._look_at(key)
        return self.outcome

    def close(self) -> None:
        self._decoder.close()

    def _look_at(self, key: str) -> None:
        for _ in range(2):  # what seems bad is looked at once more: it may have moved, or was misread
            with self._database.read() as connection:
                columns = packs.c.id, packs.c.tenant, packs.c.name, packs.c.state
                row = connection.execute(select(*columns).where(packs.c.storage_key == key)).one_or_none()
                if row is None or row.state != "verified":
                    self.outcome.stray_files += row is None
                    return
                live = sorted(contents_of(connection, {row.id: key}), key=lambda encoding: encoding.offset)
                bases = with_bases(connection, row.tenant, {encoding.chunk: encoding for encoding in live})
            missing, size, findings = self._findings(key, row.name, live, bases)
            bad = BadPack(row.id, row.tenant, row.name, key, missing, findings)
            if findings.is_sound:
                break
        self.outcome.packs, self.outcome.chunks = self.outcome.packs + 1, self.outcome.chunks + len(live)
        self.outcome.bytes_read += size
        if not findings.is_sound and self._still(bad):
            self.outcome.bad.append(bad)

    def _findings(self, key: str, name: bytes, live: list[Encoding], bases: Encodings) -> tuple[bool, int, Findings]:
        """Whether the pack is missing, its bytes, and what is wrong with it."""
        try:
            size = self._held.hold(key)
            return False, size, self._check.check(key, name, live, bases)
        except StoreBusy:
            raise
        except StoreTrouble as error:
            lost = {encoding.chunk: error.message for encoding in live}
            return isinstance(error, ObjectMissing), 0, Findings([error.message], lost)

    def _look_for_missing(self, keys: set[str]) -> None:
        with self._database.read() as connection:
            query = select(packs.c.storage_key).where(packs.c.state == "verified")
            lacking = [key for key in connection.execute(query).scalars() if key not in keys]
        for key in sorted(lacking):
            self._look_at(key)

    def _still(self, bad: BadPack) -> bool:
        """Whether the row says so still; chunks that lie elsewhere by now are left out."""
        with self._database.read() as connection:
            row = connection.execute(
                select(packs.c.id).where(packs.c.id == bad.id, packs.c.storage_key == bad.key, packs.c.state == "verified")
            ).one_or_none()
            there = {encoding.chunk for encoding in contents_of(connection, {bad.id: bad.key})}
        for chunk in bad.findings.unreadable.keys() - there:
            del bad.findings.unreadable[chunk]
        return row is not None and not bad.findings.is_sound

    def _position(self) -> tuple[str, list[str]]:
        with self._database.read() as connection:
            text = connection.execute(select(facts.c.value).where(facts.c.name == _POSITION)).scalar_one_or_none()
        noted = json.loads(text) if text else {"after": "", "again": []}
        return str(noted["after"]), [str(key) for key in noted["again"]]

    def _note(self, after: str | None) -> None:
        """How far this run is; None: it is done."""
        with self._database.write() as connection:
            connection.execute(delete(facts).where(facts.c.name == _POSITION))
            if after is not None:
                text = json.dumps({"after": after, "again": [bad.key for bad in self.outcome.bad]})
                connection.execute(insert(facts).values(name=_POSITION, value=text))
