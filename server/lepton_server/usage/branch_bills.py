"""Bills of the branches of a hosted repository: all that a branch's history reaches, and what nothing else reaches.

Files are sorted by which branches reach them; there are few such groups, so that every file's list of chunks is read once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from lepton_server.content.manifest_arrays import name_heads
from lepton_server.database.tables import chunk_links, encodings, object_links, objects
from lepton_server.database.transactions import in_batches
from lepton_server.git.history import Reached
from lepton_server.git.program import Git
from lepton_server.repositories.registry import Repository

_BRANCHES = "refs/heads/"
_OTHER = ""  # tags and whatever else is no branch, together
_SPARE_BITS, _MOST_BITS = 5, 26  # of a table that has a slot for each chunk and many more
_LISTS = 64
Marks = NDArray[numpy.bool_]


@dataclass(frozen=True)
class BranchBill:
    """`stored` and `raw` bytes of the chunks that a branch reaches; `only`: stored bytes that neither another branch nor a tag reaches,
    which would go with it."""

    branch: str
    files: int
    raw: int
    stored: int
    only: int


def of_branches(connection: Connection, repository: Repository, git: Git, refs: dict[str, str]) -> list[BranchBill]:
    """By name of the branch. `refs` are those of `git`. Raises GitFailed, CorruptData."""
    reached: dict[str, set[bytes]] = {_OTHER: set()}
    for name, target in refs.items():
        history = Reached(git)
        history.follow([target])
        branch = name.removeprefix(_BRANCHES) if name.startswith(_BRANCHES) else _OTHER
        reached[branch] = reached.get(branch, set()) | history.oids
    chunks = _Chunks(connection, repository)
    groups = {who: chunks.of(connection, repository, oids) for who, oids in _groups(reached).items()}
    nothing = chunks.nothing()
    bills = []
    for branch in sorted(reached.keys() - {_OTHER}):
        own = _union(nothing, (marks for who, marks in groups.items() if branch in who))
        others = _union(nothing, (marks for who, marks in groups.items() if who != {branch}))
        sizes = chunks.raw_of(own), chunks.stored_of(own), chunks.stored_of(own & ~others)
        bills.append(BranchBill(branch, len(reached[branch]), *sizes))
    return bills


def _groups(reached: dict[str, set[bytes]]) -> dict[frozenset[str], set[bytes]]:
    """The files that the same branches reach, together."""
    who: dict[bytes, list[str]] = {}
    for branch, oids in reached.items():
        for oid in oids:
            who.setdefault(oid, []).append(branch)
    groups: dict[frozenset[str], set[bytes]] = {}
    for oid, branches in who.items():
        groups.setdefault(frozenset(branches), set()).add(oid)
    return groups


def _union(nothing: Marks, marks: Iterable[Marks]) -> Marks:
    found = nothing.copy()
    for some in marks:
        found |= some
    return found


class _Chunks:
    """The chunks of a repository by the first 8 bytes of their names, sorted, and their bytes. Two that begin alike count as one.

    Names are spread evenly, so that the first bits of one are nearly always those of no other chunk here: a table by these bits finds
    which chunks a file has without a search. What files consist of is all here.
    """

    def __init__(self, connection: Connection, repository: Repository) -> None:
        stored_here = (encodings.c.tenant == repository.tenant) & (encodings.c.chunk == chunk_links.c.chunk)
        query = select(chunk_links.c.chunk, encodings.c.raw, encodings.c.stored).join(encodings, stored_here)
        rows = connection.execute(query.where(chunk_links.c.repository == repository.id)).all()
        heads = numpy.frombuffer(b"".join(chunk[:8] for chunk, _, _ in rows), "<u8")
        self._heads, first = numpy.unique(heads, return_index=True)
        self._raw = numpy.array([raw for _, raw, _ in rows], numpy.int64)[first]
        self._stored = numpy.array([stored for _, _, stored in rows], numpy.int64)[first]
        bits = min(len(rows).bit_length() + _SPARE_BITS, _MOST_BITS)
        self._shift = numpy.uint64(64 - bits)
        self._slots = self._slots_of(self._heads)
        self._crowded = numpy.bincount(self._slots, minlength=1 << bits) > 1

    def nothing(self) -> Marks:
        return numpy.zeros(len(self._heads), numpy.bool_)

    def of(self, connection: Connection, repository: Repository, oids: Iterable[bytes]) -> Marks:
        """Those that these files consist of."""
        hit = numpy.zeros(len(self._crowded), numpy.bool_)
        crowded: list[NDArray[numpy.uint64]] = []
        query = select(objects.c.manifest).join(object_links, object_links.c.object == objects.c.id)
        for batch in in_batches(sorted(oids)):
            mine = query.where(object_links.c.repository == repository.id, object_links.c.oid.in_(batch))
            for manifest in connection.execute(mine.execution_options(yield_per=50)).scalars():
                names = name_heads(manifest)
                slots = self._slots_of(names)
                hit[slots] = True
                crowded = self._kept(crowded, names[self._crowded[slots]])
        marks: Marks = hit[self._slots] & ~self._crowded[self._slots]
        if crowded and len(self._heads):
            marks |= numpy.isin(self._heads, numpy.concatenate(crowded))
        return marks

    def raw_of(self, marks: Marks) -> int:
        return int(self._raw[marks].sum())

    def stored_of(self, marks: Marks) -> int:
        return int(self._stored[marks].sum())

    def _slots_of(self, names: NDArray[numpy.uint64]) -> NDArray[numpy.int64]:
        return (names >> self._shift).astype(numpy.int64)

    @staticmethod
    def _kept(before: list[NDArray[numpy.uint64]], more: NDArray[numpy.uint64]) -> list[NDArray[numpy.uint64]]:
        """Both, each name once whenever they have become many."""
        both = [*before, more] if len(more) else before
        return [numpy.unique(numpy.concatenate(both))] if len(both) > _LISTS else both
