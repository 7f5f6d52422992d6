"""Upload sessions as a client sees them (docs/wire-protocol.md, section 4). A session is its opener's own; unused it expires."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from functools import partial

from sqlalchemy import Connection, exists, func, insert, select, update

from git_lepton.format.manifest import Manifest, ManifestHead
from git_lepton.wire.messages import PackOffer, UploadState
from git_lepton.wire.protocol import DIGEST_BYTES, STORED
from lepton_server.content import borrowed_bases, chunks, objects, tombstones
from lepton_server.content.chunk_lookup import sorted_names, split, windows
from lepton_server.content.chunks import Encodings
from lepton_server.database.tables import chunk_links, encodings, leases, packs, upload_manifests, upload_packs, uploads
from lepton_server.database.transactions import Database, clock, in_batches, insert_new
from lepton_server.errors import Refusal
from lepton_server.identity.caller import Caller
from lepton_server.repositories.registry import Repository
from lepton_server.uploads import records

_MANIFESTS_BYTES = 64 * 1024 * 1024  # of one upload, together: its verification keeps them in memory
_LARGE_MANIFEST_BYTES = 64 * 1024  # smaller ones are not worth adding up
_HAVE_TRIES = 10
_TOUCH_SHARE = 0.9  # of a session's time must be left, or a call renews it


def open_session(connection: Connection, caller: Caller, repository: Repository, seconds: int) -> str:
    """A new session's name, which only the caller learns."""
    session, now = secrets.token_hex(16), clock(connection)
    row = {"id": session, "repository": repository.id, "account": caller.account, "token": caller.token}
    row |= {"state": "open", "created": now}
    connection.execute(insert(uploads).values(**row, expires=now + 1000 * seconds, verified_bytes=0))
    return session


def state_for(connection: Connection, caller: Caller, repository: Repository, session: str) -> tuple[str, int]:
    """State of the caller's session, and for how many milliseconds it lasts. Raises Refusal (session_gone)."""
    mine = (uploads.c.id == session) & (uploads.c.account == caller.account) & (uploads.c.repository == repository.id)
    row = connection.execute(select(uploads.c.state, uploads.c.expires).where(mine)).one_or_none()
    left = row.expires - clock(connection) if row else 0
    if row is None or left <= 0:
        raise session_gone()
    return row.state, left


def needs_touch(left_ms: int, seconds: int) -> bool:
    return left_ms < _TOUCH_SHARE * 1000 * seconds


def touch(connection: Connection, session: str, seconds: int) -> None:
    """The session, and with it all its leases, lasts for so long from now on."""
    expires = clock(connection) + 1000 * seconds
    connection.execute(update(uploads).where(uploads.c.id == session).values(expires=expires))


def session_gone() -> Refusal:
    return Refusal("session_gone", "This upload has ended.", "Open a new one; what it had verified is there.")


def have(
    database: Database, caller: Caller, repository: Repository, session: str, digests: bytes, *, as_bases: bool = False
) -> bytes:
    """For each chunk MISSING, or STORED plus the number of bases under it: it need not be sent (`as_bases`: what is sent may lie on it).
    The packs of those, and of their bases, are leased to the session. Raises Refusal (unavailable).

    Looked up without a lock; the leases are written if nothing has moved since, else it is looked up again, what is leased then stays."""

    def resolve(connection: Connection) -> Callable[[Iterable[bytes]], Encodings]:
        if as_bases:
            return partial(borrowed_bases.usable, connection, borrowed_bases.Push(caller, repository, session))
        return partial(chunks.resolve, connection, caller, repository)

    for _ in range(_HAVE_TRIES):
        with database.read() as connection:
            before = chunks.moves(connection)
            answer, held = _looked_up(connection, repository, digests, resolve(connection))
            lacking = held - _leased(connection, session, held)
        if not lacking:
            return answer
        with database.write() as connection:
            _lease(connection, session, lacking)
            if chunks.moves(connection) == before:
                return answer
    raise Refusal("unavailable", "What is stored here changes too fast at the moment.", "Try again.")


def _looked_up(
    connection: Connection, repository: Repository, digests: bytes, resolve: Callable[[Iterable[bytes]], Encodings]
) -> tuple[bytes, set[int]]:
    """The answer as things stand, and the packs that it counts on."""
    answers: list[bytes] = []
    held: set[int] = set()
    for window in windows(digests):
        states = bytearray(len(window) // DIGEST_BYTES)  # all MISSING
        below = _mark_linked(connection, repository, window, states, held)
        rest = {name: at for at, name in enumerate(split(window)) if not states[at]} if not all(states) else {}
        found = resolve(rest) if rest else {}
        for name, encoding in found.items():
            states[rest[name]] = STORED + encoding.depth
        under = chunks.with_bases(connection, repository.tenant, found | chunks.in_tenant(connection, repository.tenant, below))
        held.update(encoding.pack for encoding in under.values())
        answers.append(bytes(states))
    return b"".join(answers), held


def _mark_linked(connection: Connection, repository: Repository, window: bytes, states: bytearray, held: set[int]) -> set[bytes]:
    """Mark what the repository holds, and add its packs to `held`; the bases that these chunks lie on."""
    order, ordered = sorted_names(window)
    here = partial(chunks.held_by, repository.id)
    rows = chunks.located(connection, repository.tenant, ordered, here, ("pack", "depth", "base"))
    there = chunks.verified_packs(connection, {row[1] for row in rows})
    for n, pack, depth, _ in rows:
        if pack in there:
            states[order[n]] = STORED + depth
    held |= there
    return {base for _, pack, _, base in rows if base is not None and pack in there}


def _leased(connection: Connection, session: str, held: Iterable[int]) -> set[int]:
    query = select(leases.c.pack).where(leases.c.upload == session)
    batches = (connection.execute(query.where(leases.c.pack.in_(some))).scalars() for some in in_batches(held))
    return {pack for found in batches for pack in found}


def _lease(connection: Connection, session: str, held: Iterable[int]) -> None:
    """Keep those of these packs that are still there."""
    for some in in_batches(sorted(held)):
        there = packs.c.id.in_(some) & (packs.c.state == "verified")
        rows = [{"pack": pack, "upload": session} for pack in connection.execute(select(packs.c.id).where(there)).scalars()]
        insert_new(connection, leases, rows)


def announce(
    connection: Connection, repository: Repository, session: str, manifest: Manifest | ManifestHead, encoded: bytes
) -> None:
    """Note that the session brings this object; nothing to do where the repository has it. Raises Refusal."""
    if connection.execute(select(uploads.c.state).where(uploads.c.id == session)).scalar_one() != "open":
        raise session_gone()  # it was committed since the request began: what comes now would be said to be done, and is not
    tombstones.refuse_purged(connection, repository.tenant, manifest.oid.raw)
    if objects.stored_objects(connection, repository, [manifest.oid.raw]):
        objects.renew(connection, repository, [manifest.oid.raw])
        return
    if len(encoded) > _LARGE_MANIFEST_BYTES:
        total = select(func.sum(func.length(upload_manifests.c.manifest))).where(upload_manifests.c.upload == session)
        if (connection.execute(total).scalar_one() or 0) + len(encoded) > _MANIFESTS_BYTES:
            raise Refusal(
                "too_large", "The manifests of one upload are too large together.", "Send the files in several uploads."
            )
    row = {"upload": session, "oid": manifest.oid.raw, "size": manifest.size, "manifest": encoded}
    insert_new(connection, upload_manifests, [row])


def attach_known(connection: Connection, caller: Caller, repository: Repository, session: str, offer: PackOffer) -> bool:
    """Whether the pack is there, verified here with all that lies in it linked still, or received from the same caller. It then counts
    for this session."""
    name = bytes.fromhex(offer.pack)
    same = (packs.c.tenant == repository.tenant) & (packs.c.name == name) & (packs.c.repository == repository.id)
    own = (packs.c.state == "received") & (packs.c.uploader == caller.account)
    linked = exists().where(chunk_links.c.repository == repository.id, chunk_links.c.chunk == encodings.c.chunk)
    loose = exists().where(encodings.c.pack == packs.c.id, ~linked).correlate(packs)
    query = select(packs.c.id).where(same, packs.c.size == offer.size, ((packs.c.state == "verified") & ~loose) | own)
    pack = connection.execute(query.limit(1)).scalar_one_or_none()
    if pack is not None:
        _attach(connection, session, name, offer.sequence, pack)
    return pack is not None


def receive(
    connection: Connection, caller: Caller, repository: Repository, session: str, offer: PackOffer, storage_key: str
) -> bool:
    """Note that an offered pack is durable under this key; False if it came before, and the key is of no use."""
    if attach_known(connection, caller, repository, session, offer):
        return False
    name = bytes.fromhex(offer.pack)
    row = {"tenant": repository.tenant, "repository": repository.id, "uploader": caller.account, "name": name}
    row |= {"storage_key": storage_key, "size": offer.size, "state": "received", "received": clock(connection)}
    pack = connection.execute(insert(packs).values(row)).inserted_primary_key
    assert pack is not None
    _attach(connection, session, name, offer.sequence, pack[0])
    return True


def _attach(connection: Connection, session: str, name: bytes, sequence: int, pack: int) -> None:
    insert_new(connection, upload_packs, [{"upload": session, "name": name, "sequence": sequence, "pack": pack}])
    mine = (upload_packs.c.upload == session) & (upload_packs.c.name == name)
    connection.execute(update(upload_packs).where(mine).values(pack=pack))
    insert_new(connection, leases, [{"pack": pack, "upload": session}])


def commit(connection: Connection, session: str) -> None:
    """No more is to come: what was announced may now become visible."""
    mine = (uploads.c.id == session) & (uploads.c.state == "open")
    connection.execute(update(uploads).where(mine).values(state="verifying"))


def describe(connection: Connection, session: str, fed_bytes: int) -> UploadState:
    """The state of a session; `fed_bytes` is what the verifier counts at the moment. Of one that has ended also what it borrowed."""
    row = connection.execute(select(uploads.c.state, uploads.c.verified_bytes).where(uploads.c.id == session)).one()
    total = sum(records.announced(connection, session).values())
    verified = total if row.state == "done" else min(max(row.verified_bytes, fed_bytes), total)
    failures = records.failures(connection, session)
    if row.state not in ("done", "failed"):
        return UploadState(row.state, verified, total, failures)
    repository, caller = records.parties(connection, session)
    return UploadState(row.state, verified, total, failures, borrowed_bases.borrowed(connection, repository, caller, session))
