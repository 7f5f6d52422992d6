"""The end of an upload: its files become visible, or it is said of each why not. What there is no room for fails as a whole.

Who may no longer write by now makes nothing visible, whatever he might when he began.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from sqlalchemy import Connection

from lepton_server import names, tombstones, upload_records, withdrawing
from lepton_server.accounts import Caller
from lepton_server.database import Database
from lepton_server.held_objects import let_go
from lepton_server.jobs import Jobs
from lepton_server.permissions import Action, require
from lepton_server.quotas import EXCEEDED, QuotaExceeded
from lepton_server.rebuilding import Rebuild
from lepton_server.refusals import Refusal
from lepton_server.repositories import Repository

_OBJECTS_AT_ONCE = 100


def conclude(database: Database, jobs: Jobs, upload: str, rebuilds: Sequence[Rebuild], verified_bytes: int) -> None:
    """End an upload all of whose packs were looked at. Raises LeaseLost."""
    with database.read() as connection:
        too_much = withdrawing.is_over_quota(connection, upload)
    made: list[bytes] = []
    for start in range(0, 0 if too_much else len(rebuilds), _OBJECTS_AT_ONCE):
        some = rebuilds[start : start + _OBJECTS_AT_ONCE]
        try:
            with database.write() as connection:
                jobs.confirm(connection, upload)
                made += _conclude_all(connection, upload, some)
        except QuotaExceeded as error:
            with database.write() as connection:
                upload_records.fail(connection, upload, some[0].oid.hex, EXCEEDED, error.message)
            too_much = True
            break
    with database.read() as connection:
        repository, _ = upload_records.parties(connection, upload)
        kept = withdrawing.needed_already(connection, repository, upload) if too_much else set()
    with database.write() as connection:
        jobs.confirm(connection, upload)
        if too_much:
            let_go(connection, repository, made)
            withdrawing.withdraw(connection, repository, upload, kept)
        upload_records.end(connection, upload, verified_bytes)


def _conclude_all(connection: Connection, upload: str, rebuilds: Sequence[Rebuild]) -> list[bytes]:
    """Conclude these; the objects that the repository did not hold before."""
    repository, caller = upload_records.parties(connection, upload)
    try:
        require(connection, caller, repository, Action.WRITE)
    except Refusal as refused:
        for rebuild in rebuilds:
            upload_records.fail(connection, upload, rebuild.oid.hex, "forbidden", refused.message)
        return []
    before = names.stored_objects(connection, repository, [rebuild.oid.raw for rebuild in rebuilds])
    made = [rebuild.oid.raw for rebuild in rebuilds if _conclude(connection, repository, caller, upload, rebuild)]
    return [oid for oid in made if oid not in before]


def _conclude(connection: Connection, repository: Repository, caller: Caller, upload: str, rebuild: Rebuild) -> bool:
    """Make one file visible, or say what is wrong with it."""
    resolve = partial(names.resolve, connection, caller, repository)
    lost = next((chunk for window in rebuild.windows() for chunk in window - resolve(window).keys()), None)
    oid = rebuild.oid
    if lost is not None:
        message = f"chunk {lost.hex()} of {oid} is not stored"
        upload_records.fail(connection, upload, oid.hex, "missing_chunks", message)
    elif stone := tombstones.purged(connection, repository.tenant, oid.raw):  # purged since it was announced
        upload_records.fail(connection, upload, oid.hex, "forbidden", f"{oid.hex} {tombstones.told(stone)}")
    elif not rebuild.matches:
        message = f"the chunks of {oid} do not give that file"
        upload_records.fail(connection, upload, oid.hex, "corrupt_data", message)
    else:
        for window in rebuild.windows():
            whole = names.with_bases(connection, repository.tenant, resolve(window))
            names.link(connection, repository, whole)
        upload_records.store_object(connection, repository, oid, rebuild.manifest)
        return True
    return False
