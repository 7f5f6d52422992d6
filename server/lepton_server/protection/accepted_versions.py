"""Versions of models that a ref was moved to once, with all its gates satisfied: going back to one needs no new judgement."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, insert, select

from lepton_server.database.tables import accepted_versions
from lepton_server.database.transactions import clock
from lepton_server.identity.caller import Caller
from lepton_server.repositories.registry import Repository


def note_accepted(
    connection: Connection, by: Caller, repository: Repository, ref: str, versions: Iterable[tuple[str, str]]
) -> None:
    """The ref now has these versions: names of models and their digests in hex. What was noted before is not noted again."""
    row = {"repository": repository.id, "ref": ref, "account": by.account, "created": clock(connection)}
    for model, digest in versions:
        if not was_accepted(connection, repository, ref, digest):
            connection.execute(insert(accepted_versions).values(row | {"model": model, "digest": bytes.fromhex(digest)}))


def was_accepted(connection: Connection, repository: Repository, ref: str, digest: str) -> bool:
    """Whether the ref has had this version of a model (its digest in hex)."""
    of = (accepted_versions.c.repository == repository.id) & (accepted_versions.c.digest == bytes.fromhex(digest))
    query = select(accepted_versions.c.id).where(of, accepted_versions.c.ref == ref).limit(1)
    return connection.execute(query).one_or_none() is not None
