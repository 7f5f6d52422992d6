"""How to fetch chunks of a repository: where their payloads lie, and whether a range of a pack holds only what may be read."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, Table, select

from git_lepton.format.pack import HEADER_BYTES
from git_lepton.wire.messages import Plan, PlannedPack, RangeRequest
from lepton_server import names
from lepton_server.names import Encoding
from lepton_server.refusals import Refusal
from lepton_server.repositories import Repository
from lepton_server.tables import chunk_links, encodings, former_places, packs


def plan(connection: Connection, repository: Repository, chunks: Sequence[bytes]) -> Plan:
    """Where each chunk lies, in the order asked for, then the bases that they need besides."""
    found = names.linked(connection, repository, chunks)
    whole = names.with_bases(connection, repository.tenant, found)
    there = [chunk for chunk in chunks if chunk in found]
    extra = [chunk for chunk in whole if chunk not in found]
    place = {chunk: index for index, chunk in enumerate(there + extra)}
    ids, listed = _packs(connection, whole)
    entries = [_entry(whole[chunk], ids, place) for chunk in there + extra]
    missing = [index for index, chunk in enumerate(chunks) if chunk not in found]
    return Plan(listed, entries, [chunk.hex() for chunk in extra], missing)


def _packs(connection: Connection, whole: names.Found) -> tuple[dict[int, int], list[PlannedPack]]:
    needed = list(dict.fromkeys(encoding.pack for encoding in whole.values()))
    known: dict[int, PlannedPack] = {}
    for start in range(0, len(needed), 1000):
        query = select(packs.c.id, packs.c.name, packs.c.size).where(packs.c.id.in_(needed[start : start + 1000]))
        known |= {id_: PlannedPack(name.hex(), size) for id_, name, size in connection.execute(query)}
    return {id_: index for index, id_ in enumerate(needed)}, [known[id_] for id_ in needed]


def _entry(encoding: Encoding, ids: dict[int, int], place: dict[bytes, int]) -> list[int]:
    base = place[encoding.base] if encoding.base else -1
    _, pack, _, offset, stored, raw, codec, depth, _, checksum = encoding
    return [ids[pack], offset, stored, raw, codec, depth, checksum, base]


def readable_range(connection: Connection, repository: Repository, wanted: RangeRequest) -> str:
    """The storage key of the pack that a range lies in, if whole payloads that this repository may read, and the headers between
    them, are all that it covers. What has moved since the plan was made is still readable where it was, for some time.
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
