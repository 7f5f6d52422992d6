"""Codes the deepest chunks anew, nearer to the root of their chain, so that those who pull need fewer bases and new versions find
room above them.

A chunk on three bases goes onto the root of its chain, unless that costs half as much again as it does now; then onto the next one
up, or onto nothing, whatever is smallest. Its new base is one of its old ones, so it is linked wherever the chunk is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

from sqlalchemy import Connection, select

from git_lepton.errors import CorruptData
from git_lepton.format.coding.codec import element_of_chunk, encode
from git_lepton.format.coding.encoded import Base, EncodedChunk
from git_lepton.format.identifiers import ChunkId
from git_lepton.format.pack import MAX_DEPTH
from lepton_server.content import chains, chunks
from lepton_server.content.chunks import Encoding, Encodings
from lepton_server.content.decoder import Decoder
from lepton_server.database.tables import encodings, packs
from lepton_server.maintenance.dead_chunks import Scope
from lepton_server.maintenance.live_chunks import Needed
from lepton_server.maintenance.pack_writer import as_it_is
from lepton_server.storage.object_store import ObjectStore

_DEARER = 1.5  # times the present payload is what a shorter chain may cost
Recoded = tuple[Encoding, EncodedChunk]


def deepest(connection: Connection, scope: Scope, needed: Needed) -> list[Encoding]:
    """The chunks of a scope that lie on as many bases as any may, in the order of their packs."""
    columns = select(encodings.c.chunk).join(packs, packs.c.id == encodings.c.pack)
    deep = columns.where(scope.settled_packs(connection), encodings.c.tenant == scope.tenant, encodings.c.depth == MAX_DEPTH)
    found = list(connection.execute(deep.order_by(packs.c.received, packs.c.id, encodings.c.offset)).scalars())
    dead = needed.lacks(found)
    located = chunks.in_tenant(connection, scope.tenant, [chunk for chunk in found if chunk not in dead])
    return [located[chunk] for chunk in found if chunk in located]


class Rebaser:
    """Codes chunks anew on several threads. `damaged` says which do not decode: they stay as they are."""

    def __init__(self, store: ObjectStore, decoder: Decoder, threads: int) -> None:
        self._store, self._decoder, self._threads = store, decoder, threads
        self.damaged: list[str] = []

    def recoded(
        self,
        found: Sequence[Encoding],
        whole: Encodings,
        allowed: dict[bytes, frozenset[int]],
        avoid: Collection[bytes] = frozenset(),
    ) -> Iterator[Recoded]:
        """Each of these and its new encoding, in order. `whole` tells where their bases lie. With `avoid` onto none of these chunks,
        or onto nothing, whatever that costs."""
        rest = iter(found)
        pending: deque[tuple[Encoding, Future[EncodedChunk]]] = deque()
        with ThreadPoolExecutor(self._threads, "rebase") as pool:
            while True:
                for one in islice(rest, self._threads + 1 - len(pending)):
                    pending.append((one, pool.submit(self._recode, one, whole, allowed.get(one.chunk, frozenset({0})), avoid)))
                if not pending:
                    return
                was, future = pending.popleft()
                try:
                    yield was, future.result()
                except CorruptData as error:
                    self.damaged.append(error.message)

    def _recode(self, encoding: Encoding, whole: Encodings, allowed: frozenset[int], avoid: Collection[bytes]) -> EncodedChunk:
        chain = chains.bases_of(encoding, whole)
        element = element_of_chunk(as_it_is(self._store, encoding))
        data = self._decoder.read(encoding, whole)
        best = encode(data, element, allowed, ChunkId(encoding.chunk)) if avoid else None
        choice = chain if avoid else chain[1:]  # else never the one that it lies on now
        for base in reversed([base for base in choice if base.chunk not in avoid]):  # the root first
            tried = encode(data, element, allowed, ChunkId(encoding.chunk), self._base(base, whole))
            if best is None or len(tried.payload) < len(best.payload):
                best = tried
            if len(tried.payload) <= _DEARER * encoding.stored:
                break
        assert best is not None  # a chunk on three bases has two to choose from
        return best

    def _base(self, encoding: Encoding, whole: Encodings) -> Base:
        element = element_of_chunk(as_it_is(self._store, encoding))
        return Base(ChunkId(encoding.chunk), encoding.depth, self._decoder.read_base(encoding, whole), element)
