"""Tensors of a safetensors file, named by their pieces, out of its manifest and its header (docs/evaluation.md, section 2)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate

from git_lepton.evidence.identity import Tensor
from git_lepton.format.identifiers import ChunkId
from git_lepton.format.layout import Region, piece_bytes
from git_lepton.format.layouts.safetensors import PREFIX_BYTES, header_length, tensor_regions
from git_lepton.format.manifest import BadManifest, Manifest

ReadChunk = Callable[[ChunkId], bytes | bytearray]
"""The raw bytes of a chunk. Raises where it is not here."""


def tensors_in(manifest: Manifest, read_chunk: ReadChunk) -> list[Tensor] | None:
    """The tensors of the file that this manifest is of, in its order; None where it is no sound safetensors file.

    Chunks are read for the header, for tensors that share a chunk, and where the file is cut elsewhere than at its tensors; the names
    of all other pieces are those of chunks. So a file of any size costs little more than its header. Memory is the header and a few
    chunks. Raises BadManifest where a chunk that is read is not as long as the manifest says, and what `read_chunk` raises.
    """
    bytes_of = _Bytes(manifest, read_chunk)
    length = header_length(bytes_of.read(0, PREFIX_BYTES))
    if length is None or PREFIX_BYTES + length > manifest.size or bytes_of.read(PREFIX_BYTES, 1) != b"{":
        return None
    regions = tensor_regions(bytes_of.read(0, PREFIX_BYTES + length), every_shape=True)
    if regions is None:
        return None
    begin, found = PREFIX_BYTES + length, []
    for region in regions:
        if not region.element or begin + region.length > manifest.size or not _is_text(region.name):
            return None  # a dtype that we do not know, a file that was cut short, a name with half a letter
        found.append(Tensor(region.name, region.element, region.shape, region.length, tuple(_pieces(bytes_of, begin, region))))
        begin += region.length
    return found if begin == manifest.size else None


def _pieces(bytes_of: _Bytes, begin: int, region: Region) -> list[bytes]:
    """The names of a tensor's pieces: those of the chunks that they are, or of their bytes."""
    size, end = piece_bytes(region.element), begin + region.length
    starts = range(begin, end, size)
    return [bytes_of.name(start, min(size, end - start)) for start in starts]


def _is_text(name: str) -> bool:
    """Whether a name is of whole letters: JSON can write halves of them, UTF-8 cannot."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


class _Bytes:
    """The bytes of the file, in the chunks of its manifest; the last chunk that was read is kept, for small tensors are neighbours."""

    def __init__(self, manifest: Manifest, read_chunk: ReadChunk) -> None:
        self._entries = manifest.entries
        self._starts: Sequence[int] = [0, *accumulate(entry.length for entry in manifest.entries)]
        self._read_chunk = read_chunk
        self._kept: tuple[int, bytes | bytearray] = (-1, b"")

    def name(self, start: int, length: int) -> bytes:
        """The name that these bytes have as a piece: 32 bytes."""
        index = bisect_right(self._starts, start) - 1
        entry = self._entries[index]
        if self._starts[index] == start and entry.length == length:
            return entry.chunk.raw
        return ChunkId.of(self.read(start, length)).raw

    def read(self, start: int, length: int) -> bytes:
        """These bytes, fewer where the file ends."""
        parts, end = [], min(start + length, self._starts[-1])
        while start < end:
            index = bisect_right(self._starts, start) - 1
            offset = start - self._starts[index]
            part = memoryview(self._chunk(index))[offset : offset + end - start]
            parts.append(part)
            start += len(part)
        return b"".join(parts)

    def _chunk(self, index: int) -> bytes | bytearray:
        if self._kept[0] != index:
            entry = self._entries[index]
            data = self._read_chunk(entry.chunk)
            if len(data) != entry.length:
                raise BadManifest(f"chunk {entry.chunk} has {len(data)} bytes, a manifest says {entry.length}")
            self._kept = (index, data)
        return self._kept[1]
