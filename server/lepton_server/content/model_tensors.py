"""The tensors of stored weight files, by which versions of models are named: out of the verified manifest and the file's header."""

from __future__ import annotations

import threading
from collections import OrderedDict

from git_lepton.errors import WeightsMissing, WrongUse
from git_lepton.evidence.identity import Tensor
from git_lepton.evidence.tensors import tensors_in
from git_lepton.format.identifiers import ChunkId
from git_lepton.format.manifest import parse_manifest
from lepton_server.content import chunks, objects
from lepton_server.content.decoder import Decoder
from lepton_server.database.transactions import Database
from lepton_server.repositories.registry import Repository
from lepton_server.storage.object_store import Readable

MAX_MANIFEST_BYTES = 64 << 20
MAX_READ_BYTES = 1 << 30  # raw, of one file that is cut elsewhere than at its tensors
_MOST_KEPT = 300_000  # tensors and pieces; some 100 bytes each
_THREADS = 1
Tensors = tuple[Tensor, ...]


class TooMuchToName(WrongUse):
    """Naming a file's tensors would take more memory or reading than one push may have."""


class ModelTensors:
    """Names the tensors of what repositories hold, one file at a time; one for a process. The last ones are remembered: by the file's
    SHA-256, since nothing else decides them, and told only to who holds the file."""

    def __init__(self, database: Database, store: Readable) -> None:
        self._database = database
        self._decoder = Decoder(store, _THREADS)
        self._turn = threading.Lock()
        self._kept: OrderedDict[bytes, Tensors | None] = OrderedDict()
        self._size = 0

    def close(self) -> None:
        self._decoder.close()

    def of(self, repository: Repository, oid: bytes) -> Tensors | None:
        """The tensors of a file that the repository holds, None where it is no sound safetensors file. Raises WeightsMissing,
        TooMuchToName, CorruptData, StoreTrouble."""
        with self._turn:
            with self._database.read() as connection:
                length = objects.manifest_lengths(connection, repository, [oid]).get(oid)
            if length is None:
                raise WeightsMissing(f"{repository.full_name} does not hold {oid.hex()}")
            if oid not in self._kept:
                self._keep(oid, self._named(repository, oid, length))
            self._kept.move_to_end(oid)
            return self._kept[oid]

    def _named(self, repository: Repository, oid: bytes, length: int) -> Tensors | None:
        if length > MAX_MANIFEST_BYTES:
            raise TooMuchToName(f"the list of chunks of {oid.hex()} has {length} bytes", "Split the file into shards.")
        with self._database.read() as connection:
            encoded = objects.manifests(connection, repository, [oid]).get(oid)
        if encoded is None:
            raise WeightsMissing(f"{repository.full_name} does not hold {oid.hex()}")
        left = MAX_READ_BYTES

        def read_chunk(chunk: ChunkId) -> bytes | bytearray:
            nonlocal left
            with self._database.read() as connection:
                found = chunks.linked(connection, repository, [chunk.raw])
                chains = chunks.with_bases(connection, repository.tenant, found)
            if chunk.raw not in found:
                raise WeightsMissing(f"{repository.full_name} holds chunk {chunk.raw.hex()} no longer")
            left -= found[chunk.raw].raw
            if left < 0:
                raise TooMuchToName(f"the tensors of {oid.hex()} are not where it is cut into chunks", "Save and add it again.")
            return self._decoder.read(found[chunk.raw], chains)

        tensors = tensors_in(parse_manifest(encoded), read_chunk)
        return None if tensors is None else tuple(tensors)

    def _keep(self, oid: bytes, tensors: Tensors | None) -> None:
        self._kept[oid] = tensors
        self._size += _size(tensors)
        while self._size > _MOST_KEPT and len(self._kept) > 1:
            _, dropped = self._kept.popitem(last=False)
            self._size -= _size(dropped)


def _size(tensors: Tensors | None) -> int:
    return 1 + sum(1 + len(tensor.pieces) for tensor in tensors or ())
