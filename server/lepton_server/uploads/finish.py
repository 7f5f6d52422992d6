"""The end of an upload: its files become visible, or it is said of each why not. What there is no room for fails as a whole, before the
first of them is visible: of what is visible somebody may have been told that it is stored, so nothing takes it away again here.

Callers who may no longer write by now make nothing visible, whatever they might when they began.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from sqlalchemy import Connection

from lepton_server.content import borrowed_bases, chunks, tombstones
from lepton_server.content.rebuild import Rebuild
from lepton_server.database.transactions import Database
from lepton_server.errors import Refusal
from lepton_server.identity.caller import Caller
from lepton_server.repositories import quotas
from lepton_server.repositories.permissions import Action, require
from lepton_server.repositories.quotas import EXCEEDED, QuotaExceeded
from lepton_server.repositories.registry import Repository
from lepton_server.uploads import records, rollback
from lepton_server.uploads.jobs import Jobs

_OBJECTS_AT_ONCE = 100


def conclude(database: Database, jobs: Jobs, upload: str, rebuilds: Sequence[Rebuild], verified_bytes: int) -> None:
    """End an upload all of whose packs were looked at. Raises LeaseLost."""
    with database.read() as connection:
        too_much = rollback.is_over_quota(connection, upload)
        new = set() if too_much else _new_chunks(connection, upload, rebuilds)
    if new:
        with database.write() as connection:
            jobs.confirm(connection, upload)
            too_much = not _has_room(connection, upload, rebuilds[0], new)
    for start in range(0, 0 if too_much else len(rebuilds), _OBJECTS_AT_ONCE):
        some = rebuilds[start : start + _OBJECTS_AT_ONCE]
        try:
            with database.write() as connection:
                jobs.confirm(connection, upload)
                show(connection, upload, some)
        except QuotaExceeded as error:  # others have filled it meanwhile
            with database.write() as connection:
                records.fail(connection, upload, some[0].oid.hex, EXCEEDED, error.message)
            too_much = True
            break
    with database.read() as connection:
        repository, caller = records.parties(connection, upload)
        kept = rollback.needed_already(connection, repository, upload) if too_much else set()
    with database.write() as connection:
        jobs.confirm(connection, upload)
        if too_much:
            rollback.withdraw(connection, repository, upload, kept)
        borrowed_bases.note_in_log(connection, caller, repository, upload)
        records.end(connection, upload, verified_bytes)


def _new_chunks(connection: Connection, upload: str, rebuilds: Sequence[Rebuild]) -> set[bytes]:
    """The new chunks of those of these files that can become visible; none where no quota counts them."""
    repository, caller = records.parties(connection, upload)
    new: set[bytes] = set()
    for rebuild in rebuilds if quotas.concern(connection, repository) else ():
        for window in rebuild.windows() if rebuild.matches else ():
            unknown = window - new
            unknown -= chunks.linked(connection, repository, unknown).keys()
            new |= chunks.resolve(connection, caller, repository, unknown).keys()
    return new


def _has_room(connection: Connection, upload: str, first: Rebuild, new: set[bytes]) -> bool:
    repository, _ = records.parties(connection, upload)
    try:
        quotas.check_room(connection, repository, new)
    except QuotaExceeded as error:
        records.fail(connection, upload, first.oid.hex, EXCEEDED, error.message)
        return False
    return True


def show(connection: Connection, upload: str, rebuilds: Sequence[Rebuild]) -> list[Rebuild]:
    """Make these files of an upload visible, or say what is wrong with them; those that are. Raises QuotaExceeded."""
    repository, caller = records.parties(connection, upload)
    try:
        require(connection, caller, repository, Action.WRITE)
    except Refusal as refused:
        for rebuild in rebuilds:
            records.fail(connection, upload, rebuild.oid.hex, "forbidden", refused.message)
        return []
    shown = [rebuild for rebuild in rebuilds if _conclude(connection, repository, caller, upload, rebuild)]
    borrowed_bases.forget_own(connection, repository, upload, (window for rebuild in shown for window in rebuild.windows()))
    return shown


def _conclude(connection: Connection, repository: Repository, caller: Caller, upload: str, rebuild: Rebuild) -> bool:
    """Make one file visible, or say what is wrong with it."""
    resolve = partial(chunks.resolve, connection, caller, repository)
    lost = next((chunk for window in rebuild.windows() for chunk in window - resolve(window).keys()), None)
    oid = rebuild.oid
    if lost is not None:
        message = f"chunk {lost.hex()} of {oid} is not stored"
        records.fail(connection, upload, oid.hex, "missing_chunks", message)
    elif stone := tombstones.purged(connection, repository.tenant, oid.raw):  # purged since it was announced
        records.fail(connection, upload, oid.hex, "forbidden", f"{oid.hex} {tombstones.told(stone)}")
    elif not rebuild.matches:
        message = f"the chunks of {oid} do not give that file"
        records.fail(connection, upload, oid.hex, "corrupt_data", message)
    else:
        for window in rebuild.windows():
            whole = chunks.with_bases(connection, repository.tenant, resolve(window))
            chunks.link(connection, repository, whole)
        records.store_object(connection, repository, oid, rebuild.manifest)
        return True
    return False
