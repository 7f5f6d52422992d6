"""Writes the golden files of the current version, for a release to add. See README.md."""

from __future__ import annotations

import sys
from hashlib import sha256
from pathlib import Path

import numpy
import xxhash
import zstandard

from git_lepton.format.coding.codec import ZSTD, EncodedChunk, decode, encode
from git_lepton.format.identifiers import ChunkId, ObjectId
from git_lepton.format.manifest import Manifest, ManifestEntry
from git_lepton.format.pack import PACK_HEAD, end_record
from git_lepton.format.pointer import Pointer

FOLDER = Path(__file__).parent


def raw_chunks() -> list[tuple[bytes, str]]:
    """Raw bytes and their dtype: small tensors with the statistics of real ones."""
    values = numpy.random.default_rng(20261120).normal(scale=0.02, size=700)
    bfloat16 = (values.astype("<f4").view("<u4") >> 16).astype("<u2")
    return [
        (sha256(b"no order").digest(), "U8"),
        (b'{"weight":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}  ' * 6, ""),
        ((values * 1000).astype("i1").tobytes(), "I8"),
        (bfloat16.tobytes(), "BF16"),
        (values[:400].astype("<f2").tobytes() + b"!", "F16"),
        (values[:300].astype("<f4").tobytes() + b"abc", "F32"),
        (values[:150].tobytes(), "F64"),
        (numpy.arange(300, dtype="<i8").tobytes(), "I64"),
        ((values * 1000).astype("<i4").tobytes(), "I32"),
        ((values * 1000).astype("<i2").tobytes(), "I16"),
    ]


def chunks() -> list[EncodedChunk]:
    text = b"another writer's frame, level 19; " * 20
    frame = zstandard.ZstdCompressor(level=19).compress(text)
    foreign = EncodedChunk(ChunkId.of(text), ZSTD, 0, None, len(text), frame, xxhash.xxh3_64_intdigest(frame))
    return [*(encode(data, element) for data, element in raw_chunks()), foreign]


def main(name: str) -> None:
    made = chunks()
    headers = [chunk.record().encode() for chunk in made]
    body = b"".join(header + bytes(chunk.payload) for header, chunk in zip(headers, made, strict=True))
    size = sum(chunk.raw_length for chunk in made)
    oid = ObjectId(sha256(b"".join(decode(chunk) for chunk in made)).digest())
    files = {
        f"pointer-{name}": Pointer(oid, size).encode(),
        f"manifest-{name}": Manifest(oid, size, tuple(ManifestEntry(one.name, one.raw_length) for one in made)).encode(),
        f"pack-{name}": PACK_HEAD + body + end_record(headers)[1],
    }
    for file, content in files.items():
        with (FOLDER / file).open("xb") as out:
            out.write(content)


if __name__ == "__main__":
    main(sys.argv[1])
