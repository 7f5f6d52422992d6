"""Bases of a push, on which its chunks may be coded: what the destination's refs reach already or will by this push, and what lies in other
repositories whose weights may be published there.

Nothing else is even asked about: that some chunk is in this machine's store, since it was pushed elsewhere, added and dropped, or lies
under something else, is nobody's business.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

from git_lepton.transfer.http.refusals import NotFound
from git_lepton.wire.messages import NamedBase

if TYPE_CHECKING:
    from git_lepton.format.identifiers import ChunkId, ObjectId
    from git_lepton.store.local_store import LocalStore
    from git_lepton.transfer.remote_store import RemoteStore


class Reached:
    """Objects that somebody looks up one after the other, and only as far as anybody needs to know; looked up once."""

    def __init__(self, more: Iterable[ObjectId] = ()) -> None:
        self._found: list[ObjectId] = []
        self._more = iter(more)

    def __iter__(self) -> Iterator[ObjectId]:
        position = 0
        while True:
            if position == len(self._found):
                following = next(self._more, None)
                if following is None:
                    return
                self._found.append(following)
            yield self._found[position]
            position += 1


@dataclass(frozen=True)
class BaseSources:
    """Objects that the destination's refs reach, the newest first, as far as is known here; and the objects of bases in other
    repositories of the same server, by OWNER/REPO. `allowed`: those whose weights the pusher lets be published, in lower case."""

    reached: Reached = field(default_factory=Reached)
    elsewhere: Mapping[str, Collection[ObjectId]] = field(default_factory=dict)
    allowed: Collection[str] = ()


class PushBases:
    """The bases for one push of these objects. `withheld`: repositories whose chunks would have been bases and may not be."""

    def __init__(self, store: LocalStore, sources: BaseSources, pushed: Sequence[ObjectId]) -> None:
        self._store, self._sources, self._pushed = store, sources, pushed
        self.withheld: list[str] = []

    def there(
        self, remote: RemoteStore, session: str, names: Collection[ChunkId], have: Mapping[ChunkId, int]
    ) -> dict[ChunkId, int]:
        """What chunks that are to be sent may lie on, besides each other: with the number of bases that each has there."""
        found = dict(have)
        lying = self._lying_on(names, have)
        if not lying:
            return found
        ours = self._reached(lying)
        found |= remote.have(session, ours, as_bases=True) if ours else {}
        settled = {name for base in found.keys() & lying.keys() for name in lying[base]}
        open_ = {base: on_it for base, on_it in lying.items() if not on_it <= settled}
        foreign = self._elsewhere(remote, session, open_) if open_ and self._sources.elsewhere else []
        return found | (remote.have(session, foreign, as_bases=True) if foreign else {})

    def _lying_on(self, names: Collection[ChunkId], have: Mapping[ChunkId, int]) -> dict[ChunkId, set[ChunkId]]:
        """The chunks below these in their chains that neither go nor are said to be there, and which of these lie on each."""
        found: dict[ChunkId, set[ChunkId]] = {}
        going = set(names)
        for name in going:
            base = self._store.base(name)
            while base is not None:
                if base not in going and base not in have:
                    found.setdefault(base, set()).add(name)
                base = self._store.base(base)
        return found

    def _reached(self, lying: Mapping[ChunkId, set[ChunkId]]) -> list[ChunkId]:
        """Those that the destination's refs reach, or will: as far back as one is found for each chunk that has a base."""
        found: dict[ChunkId, None] = {}
        unsettled = set().union(*lying.values())
        for oid in chain(self._pushed, self._sources.reached):
            for base in self._chunks_of(oid) & lying.keys():
                found[base] = None
                unsettled -= lying[base]
            if not unsettled:
                break
        return list(found)

    def _elsewhere(self, remote: RemoteStore, session: str, lying: Mapping[ChunkId, set[ChunkId]]) -> list[ChunkId]:
        """Those that lie in other repositories, and may be bases here. The server is told the names of repositories, and decides."""
        bases = {
            repository: {chunk for oid in oids for chunk in self._chunks_of(oid) & lying.keys()}
            for repository, oids in self._sources.elsewhere.items()
        }
        named = [repository for repository, chunks in bases.items() if chunks]
        if not named:
            return []
        allowed = {name.lower() for name in self._sources.allowed}
        try:
            usable = set(remote.name_bases(session, [NamedBase(name, name.lower() in allowed) for name in named]))
        except NotFound:  # a server that cannot tell who may read what links whatever it is told to: it is told of nothing
            usable = set()
        self.withheld = [name for name in named if name not in usable]
        return list({chunk: None for name in named if name in usable for chunk in bases[name]})

    def _chunks_of(self, oid: ObjectId) -> set[ChunkId]:
        manifest = self._store.manifest(oid)
        return {entry.chunk for entry in manifest.entries} if manifest else set()
