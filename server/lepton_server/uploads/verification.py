"""The verification of one upload: its packs in order, and its files' SHA-256 in the same pass: a normal push is decoded once.

What it keeps in memory is only a cache: all that counts is in the database, and a new instance goes on from there, reading back
what was hashed before. One thread at a time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import takewhile

from sqlalchemy import Connection

from git_lepton.errors import CorruptData, WrongUse
from git_lepton.format.identifiers import ObjectId
from lepton_server.content import chunks, pack_reader, packs
from lepton_server.content.borrowed_bases import Push
from lepton_server.content.chunks import Encoding, Encodings
from lepton_server.content.decoder import Decoder
from lepton_server.content.pack_reader import PackRefused, ReceivedPack
from lepton_server.content.rebuild import Rebuild, Rebuilds
from lepton_server.database.transactions import Database
from lepton_server.storage.object_store import ObjectMissing, ObjectStore
from lepton_server.uploads import admission, finish, records
from lepton_server.uploads.admission import BaseAbsent, PackGone
from lepton_server.uploads.jobs import Jobs

_PATIENCE_SECONDS = 2.0  # for a pack that comes out of turn
_LULL_SECONDS = 0.5  # in which no pack comes: the link is slower than the server, which may as well verify what is here
_BACKLOG_BYTES = 512 * 1024 * 1024  # of one upload, that wait for a lull or for the commit, a second or two of work
_RUN = 512  # chunks looked up at once
_TURN_SECONDS = 1.0  # of work, after which another upload that waits has its turn
_TURN_SHARE = 4  # or so many times what it took to take a pack up again, if that is longer


class Stopped(Exception):
    """The server is going down; the database knows where to go on."""


class TurnOver(Exception):
    """Another upload waits; this one goes on later, where it stands."""


@dataclass(frozen=True)
class Workshop:
    """What all verifications of a process share. `others_wait`: whether an upload is due that no thread works at. `has_ended` is told of
    an upload whose files are visible."""

    database: Database
    store: ObjectStore
    decoder: Decoder
    jobs: Jobs
    stopping: threading.Event
    others_wait: Callable[[], bool] = lambda: False
    has_ended: Callable[[str], None] = lambda _: None


class Verification:
    """The verification of one upload. `verified_bytes` counts raw bytes of its files; any thread may read it."""

    def __init__(self, workshop: Workshop, upload: str) -> None:
        self._shop = workshop
        self._upload = upload
        with workshop.database.read() as connection:
            self._repository, self._caller = records.parties(connection, upload)
        self._rebuilds = Rebuilds()
        self._push = Push(self._caller, self._repository, upload)
        self._known: set[bytes] = set()  # chunks of announced files that are stored
        self._arrived: set[str] = set()  # storage keys of the packs that were here at the last look
        self._last_arrival = 0.0
        self._disorder_since: float | None = None
        # By storage key, since an ended pack's number may be given to another:
        self._waiting: dict[str, set[bytes]] = {}  # packs on bases that are not stored: which those are, or some of them
        self._is_committed = False
        self._tried_all = False  # once more since the commit: bases may have come in other uploads
        self._stands: tuple[str, int] = ("", 0)  # the pack at hand, and how many of its encodings are verified
        self._turn_ends = 0.0
        self.ended = False  # nothing is left to do, nor will be

    @property
    def verified_bytes(self) -> int:
        return self._rebuilds.fed_bytes

    @property
    def held_bytes(self) -> int:
        """About what this keeps in memory."""
        return sum(len(rebuild.manifest) for rebuild in list(self._rebuilds)) + 120 * (
            len(self._known) + sum(map(len, list(self._waiting.values())))
        )

    def step(self) -> float | None:
        """Do the next piece of work. Seconds after which there may be more, or None if only news can bring more."""
        self._turn_ends = time.monotonic() + _TURN_SECONDS
        try:
            return self._step()
        except (TurnOver, PackGone):
            return 0.0

    def _step(self) -> float | None:
        self._go_on()
        with self._shop.database.read() as connection:
            state = records.state_of(connection, self._upload)
            pending = records.received_packs(connection, self._upload)
            self._take_manifests(records.announced(connection, self._upload))
        if state not in ("open", "verifying"):
            self.ended = True
            return None
        self._is_committed = state == "verifying"
        ready = [(pack, in_turn) for pack, in_turn in pending if not self._waiting.get(pack.storage_key)]
        if ready:
            wait = (self._until_lull(pending) or self._patience(ready[0])) if state == "open" else 0.0
            if wait <= 0:
                self._verify_pack(ready[0][0], patient=True)
            return max(wait, 0.0)
        self._catch_up()
        if state == "open":
            return None
        if pending and not self._tried_all:
            self._tried_all = True
            self._waiting.clear()
            return 0.0
        if pending:  # no more is to come: what its bases should be in is not there
            self._verify_pack(pending[0][0], patient=False)
            return 0.0
        self._finish()
        return None

    def _until_lull(self, pending: Iterable[tuple[ReceivedPack, bool]]) -> float:
        """How long to let more come first. Verifying takes the cores and the storage that are taking packs in: those are stored the
        later for it, and visible no sooner."""
        waiting = {pack.storage_key: pack.size for pack, _ in pending}
        now = time.monotonic()
        if waiting.keys() - self._arrived:
            self._last_arrival = now
        self._arrived = set(waiting)
        return max(0.0, _LULL_SECONDS - (now - self._last_arrival)) if sum(waiting.values()) < _BACKLOG_BYTES else 0.0

    def _patience(self, first: tuple[ReceivedPack, bool]) -> float:
        """How long to wait for the packs before this one."""
        in_turn = first[1] or first[0].storage_key == self._stands[0]  # or it was begun, and its turn was over
        now = time.monotonic()
        if in_turn or (self._disorder_since is not None and now - self._disorder_since >= _PATIENCE_SECONDS):
            self._disorder_since = None
            return 0.0
        self._disorder_since = self._disorder_since or now
        return _PATIENCE_SECONDS - (now - self._disorder_since)

    def _go_on(self) -> None:
        if self._shop.stopping.is_set():
            raise Stopped("the server is going down")
        self._shop.jobs.keep(self._upload)

    # Files

    def _take_manifests(self, announced: Mapping[ObjectId, int]) -> None:
        new = [oid for oid in announced if oid not in self._rebuilds]
        if not new:
            return
        with self._shop.database.read() as connection:
            for oid in new:
                rebuild = Rebuild(oid, records.manifest(connection, self._upload, oid))
                if records.verified_before(connection, self._caller, oid, rebuild.manifest):
                    rebuild.believe(announced[oid])
                self._rebuilds.add(rebuild)
                for window in rebuild.windows() if rebuild.next else ():
                    unknown = window - self._known
                    self._known |= chunks.resolve(connection, self._caller, self._repository, unknown).keys()

    def _feed(self, chunk: bytes, data: bytes | bytearray) -> list[Rebuild]:
        moved = self._rebuilds.feed(chunk, data)
        self._go_on()
        if time.monotonic() >= self._turn_ends and self._shop.others_wait():
            raise TurnOver("another upload waits")
        return moved

    def _catch_up(self) -> None:
        """Read back, for every file, what is stored from where it stands."""
        for rebuild in list(self._rebuilds):
            self._read_back(rebuild, self._known.__contains__, {})

    def _read_back(self, rebuild: Rebuild, available: Callable[[bytes], bool], here: Encodings) -> None:
        """Feed a file from the store as far as its next chunks are `available`. `here`: where those of the pack at hand lie."""
        while rebuild.next is not None:
            run = list(takewhile(available, rebuild.upcoming(_RUN)))
            located = self._locate(run, here)
            run = list(takewhile(located.__contains__, run))
            if not run:
                return
            once = [located[name] for before, name in zip([b"", *run], run, strict=False) if name != before]
            for name, data in self._shop.decoder.decoded(once, located):
                self._feed(name, data)

    def _locate(self, wanted: Iterable[bytes], here: Encodings) -> Encodings:
        elsewhere = {chunk for chunk in wanted if chunk not in here}
        if not elsewhere:
            return here
        with self._shop.database.read() as connection:
            found = chunks.resolve(connection, self._caller, self._repository, elsewhere)
            return here | chunks.with_bases(connection, self._repository.tenant, found)

    # Packs

    def _verify_pack(self, pack: ReceivedPack, *, patient: bool) -> None:
        """Take a pack or refuse it; if `patient`, one whose bases are not here yet waits for the next."""
        self._catch_up()
        try:
            useful = self._take_pack(pack)
        except BaseAbsent as error:
            if patient:
                self._waiting[pack.storage_key] = set(error.missing)
            else:
                self._refuse(pack, error.code, error.subject, error.message)
        except PackRefused as error:
            self._refuse(pack, error.code, error.subject, error.message)
        except (CorruptData, WrongUse) as error:
            self._refuse(pack, "corrupt_data", pack.name.hex(), error.message)
        except ObjectMissing:
            if self._shop.store.exists(pack.storage_key):  # a base was moved, long ago: look it up again
                raise
            if self._is_pending(pack):  # or another session of the sender's found it of no use meanwhile
                self._refuse(pack, "internal_error", pack.name.hex(), "the server has lost this pack; push again")
        else:
            if not useful:
                self._shop.store.delete(pack.storage_key)

    def _is_pending(self, pack: ReceivedPack) -> bool:
        with self._shop.database.read() as connection:
            return any(pending.id == pack.id for pending, _ in records.received_packs(connection, self._upload))

    def _take_pack(self, pack: ReceivedPack) -> bool:
        begun = time.monotonic()
        found = pack_reader.read_pack(self._shop.store, pack, self._repository.codecs)
        # Before the commit nothing becomes visible, so nothing may lie on what comes only with a file of this push; after it, only on files
        # that are proven once this pack is decoded, and that become visible in the transaction that links their chunks.
        coming = self._push._replace(of_files=self._rebuilds.consist_of) if self._is_committed else self._push
        proven = coming._replace(of_files=self._rebuilds.proven, show_files=self._show_files) if self._is_committed else coming
        with self._shop.database.read() as connection:
            placed, bases = admission.place_bases(connection, coming, found)
        now = time.monotonic()
        self._turn_ends = max(self._turn_ends, now + _TURN_SHARE * (now - begun))
        self._decode_pack(pack.storage_key, placed, bases)
        with self._shop.database.write() as connection:
            self._shop.jobs.confirm(connection, self._upload)
            useful = admission.record_pack(connection, proven, pack, placed)
            records.note_progress(connection, self._upload, self.verified_bytes)
        came = {encoding.chunk for encoding in placed}
        self._known |= came
        for missing in self._waiting.values():
            missing.difference_update(came)
        return useful

    def _decode_pack(self, pack: str, placed: list[Encoding], bases: Encodings) -> None:
        """Decode what is not decoded yet. Raises TurnOver; the next call then goes on from there."""
        stands = self._stands[1] if self._stands[0] == pack else 0
        coming = {encoding.chunk for encoding in placed[stands:]}
        done = {encoding.chunk for encoding in placed[:stands]}
        for name, data in self._shop.decoder.decoded(placed[stands:], bases):
            coming.discard(name)
            done.add(name)
            stands += 1
            self._stands = pack, stands
            for rebuild in self._feed(name, data):
                self._read_back(rebuild, lambda chunk: chunk not in coming and (chunk in done or chunk in self._known), bases)
        for rebuild in list(self._rebuilds) if self._is_committed else ():  # where a turn ended amidst that
            self._read_back(rebuild, lambda chunk: chunk in done or chunk in self._known, bases)

    def _show_files(self, connection: Connection, chunks: set[bytes]) -> set[bytes]:
        """Make the proven files visible that some of these chunks belong to; the chunks that belong to none which is."""
        files = [rebuild for rebuild in self._rebuilds if rebuild.matches and rebuild.common(chunks)]
        shown = finish.show(connection, self._upload, files)
        return chunks.difference(*(rebuild.common(chunks) for rebuild in shown))

    def _refuse(self, pack: ReceivedPack, code: str, subject: str, message: str) -> None:
        with self._shop.database.write() as connection:
            self._shop.jobs.confirm(connection, self._upload)
            admission.check_still_there(connection, pack)
            records.fail_pack(connection, pack.id, code, subject, message)
            packs.forget_pack(connection, pack.id)
        self._shop.store.delete(pack.storage_key)

    def _finish(self) -> None:
        for rebuild in self._rebuilds:
            self._read_back(rebuild, lambda _: True, {})
        finish.conclude(self._shop.database, self._shop.jobs, self._upload, list(self._rebuilds), self.verified_bytes)
        self._shop.has_ended(self._upload)
        self.ended = True
        self._shop.jobs.drop(self._upload)
