"""Ranges of packs, and whether one holds only what may be read in a repository."""

from __future__ import annotations

from sqlalchemy import Connection, Table, exists, or_, select

from git_lepton.format.pack import HEADER_BYTES
from git_lepton.wire.messages import RangeRequest
from lepton_server.database.tables import chunk_links, encodings, former_places, packs
from lepton_server.errors import Refusal
from lepton_server.repositories.registry import Repository


def readable_range(connection: Connection, repository: Repository, wanted: RangeRequest) -> str:
    """The storage key of the pack that a range lies in, if whole payloads that this repository may read, and the headers between
    them, are all that it covers. What has moved since the plan was made is still readable where it was, for some time, and only
    where what it was coded on may be read too.
    Raises Refusal (range_not_satisfiable)."""
    now = _payloads(connection, repository, wanted, encodings)
    for key, spans in now.items():
        if _covered(spans, wanted.start, wanted.end):
            return key
    for key, spans in _payloads(connection, repository, wanted, former_places).items():
        if _covered(spans | now.get(key, {}), wanted.start, wanted.end):
            return key
    raise Refusal("range_not_satisfiable", "This range is not one of whole payloads that you may read.", "Ask for a new plan.")


def _payloads(connection: Connection, repository: Repository, wanted: RangeRequest, places: Table) -> dict[str, dict[int, int]]:
    """For each pack of that name: start to end of the payloads in the range that the repository may read. `places` says where
    chunks lie, or lay."""
    here = (chunk_links.c.repository == repository.id) & (chunk_links.c.chunk == places.c.chunk)
    query = select(packs.c.storage_key, places.c.offset, places.c.stored)
    query = query.join(places, places.c.pack == packs.c.id).join(chunk_links, here)
    states = ["verified"] if places is encodings else ["verified", "condemned"]
    named = (packs.c.tenant == repository.tenant) & (packs.c.name == bytes.fromhex(wanted.pack)) & packs.c.state.in_(states)
    within = (places.c.offset >= wanted.start) & (places.c.offset + places.c.stored <= wanted.end)
    if places is former_places:
        base = chunk_links.alias()
        ours = exists().where(base.c.repository == repository.id, base.c.chunk == places.c.base)
        query = query.where(or_(places.c.base.is_(None), ours))
    found: dict[str, dict[int, int]] = {}
    for key, offset, stored in connection.execute(query.where(named, within)):
        found.setdefault(key, {})[offset] = offset + stored
    return found


def _covered(spans: dict[int, int], start: int, end: int) -> bool:
    at = start
    while at in spans:
        at = spans[at]
        if at == end:
            return True
        at += HEADER_BYTES
    return False
