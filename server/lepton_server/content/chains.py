"""Chains of encodings: who lies on whom, how deep, and that every chain ends in an encoding without a base."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import Connection, bindparam, select, update

from git_lepton.errors import LeptonError
from git_lepton.format.pack import MAX_DEPTH
from lepton_server.content.chunks import Encoding, Encodings
from lepton_server.database.tables import encodings
from lepton_server.database.transactions import in_batches


class ChainBroken(LeptonError):
    """Encodings would lie on too many bases, or on themselves. Whoever meets this lets the transaction fail."""


def bases_of(encoding: Encoding, among: Encodings) -> list[Encoding]:
    """The encodings under one, nearest first, as far as `among` has them. Ends also where they go round in a circle."""
    found: dict[bytes, Encoding] = {}
    base = encoding.base
    while base and base in among and base not in found:
        found[base] = among[base]
        base = among[base].base
    return list(found.values())


def lying_on(connection: Connection, tenant: int, bases: Iterable[bytes]) -> list[tuple[bytes, bytes, int]]:
    """Chunk, base and depth of every encoding whose base is one of these."""
    columns = select(encodings.c.chunk, encodings.c.base, encodings.c.depth).where(encodings.c.tenant == tenant)
    found: list[tuple[bytes, bytes, int]] = []
    for batch in in_batches(sorted(set(bases))):
        found += [(chunk, base, depth) for chunk, base, depth in connection.execute(columns.where(encodings.c.base.in_(batch)))]
    return found


def recount(connection: Connection, tenant: int, changed: Collection[bytes]) -> None:
    """Give whatever lies on these chunks, and on those in turn, the depth that it has now. Raises ChainBroken."""
    level = set(changed)
    for _ in range(MAX_DEPTH + 2):
        depths, on_them = _depths(connection, tenant, level), lying_on(connection, tenant, level)
        if any(base not in depths for _, base, _ in on_them):
            raise ChainBroken("a chunk would lie on a base that is not there")
        wrong = {chunk: depths[base] + 1 for chunk, base, depth in on_them if depth != depths[base] + 1}
        if any(depth > MAX_DEPTH for depth in wrong.values()):
            raise ChainBroken(f"a chunk would lie on more than {MAX_DEPTH} bases")
        if not wrong:
            return
        here = (encodings.c.tenant == tenant) & (encodings.c.chunk == bindparam("which"))
        rows = [{"which": chunk, "now": depth} for chunk, depth in wrong.items()]
        connection.execute(update(encodings).where(here).values(depth=bindparam("now")), rows)
        level = set(wrong)
    raise ChainBroken("chunks would lie on each other in a circle")


def _depths(connection: Connection, tenant: int, chunks: Iterable[bytes]) -> dict[bytes, int]:
    columns = select(encodings.c.chunk, encodings.c.depth).where(encodings.c.tenant == tenant)
    found: dict[bytes, int] = {}
    for batch in in_batches(sorted(set(chunks))):
        found.update((chunk, depth) for chunk, depth in connection.execute(columns.where(encodings.c.chunk.in_(batch))))
    return found
