"""Writes the golden files of the current version, for a release to add. See README.md."""

from __future__ import annotations

import sys
from hashlib import sha256
from pathlib import Path

import numpy
import xxhash
import zstandard

from git_lepton.format.coding.codec import decode, encode
from git_lepton.format.coding.difference.numbers import CONVERSIONS
from git_lepton.format.coding.encoded import ZSTD, Base, EncodedChunk
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
    return [*(encode(data, element) for data, element in raw_chunks()), foreign, *differences()]


def differences() -> list[EncodedChunk]:
    """Chunks coded against others, each after its base: all dtypes' ways, all ways to keep a stream, depths 1 to 3."""
    random = numpy.random.default_rng(20261121)
    old = random.normal(scale=0.05, size=70_000).astype("<f4")
    new = old + random.normal(scale=2e-4, size=len(old)).astype("<f4")
    new[1000:30_000] = old[1000:30_000]
    new[60_000:] += random.normal(scale=0.01, size=10_000).astype("<f4")
    half = [CONVERSIONS["F32", "BF16"](values.view("<u4")) for values in (old, new)]
    made: list[EncodedChunk] = []
    known: dict[ChunkId, EncodedChunk] = {}

    def add(data: bytes, element: str, base: bytes | None = None, base_element: str = "") -> None:
        against = None
        if base is not None:
            below = known[ChunkId.of(base)]
            against = Base(below.name, below.depth, base, base_element or element)
        chunk = encode(data, element, base=against)
        assert (chunk.base is None) == (base is None)
        known[chunk.name] = chunk
        made.append(chunk)

    bf16, later, last = half[0].tobytes(), half[1].tobytes(), (half[1] + (random.random(len(old)) < 0.01)).tobytes()
    add(bf16, "BF16")
    add(later + b"!", "BF16", bf16)
    add(later[:50_001], "BF16", bf16)
    add(last, "BF16", later + b"!")
    add(last + later[:2000], "BF16", last)
    wide = new[:20_000].tobytes()
    add(wide, "F32", bf16, "BF16")
    add(CONVERSIONS["F32", "F16"](new[:20_000].view("<u4")).tobytes(), "F16", wide, "F32")
    for element, kind in (
        ("F16", "<f2"),
        ("F32", "<f4"),
        ("F64", "<f8"),
        ("I8", "i1"),
        ("I16", "<i2"),
        ("I32", "<i4"),
        ("I64", "<i8"),
    ):
        scale = 1 if "f" in kind else 300
        first, second = ((values[:3000] * scale).astype(kind).tobytes() for values in (old, new + random.normal(scale=1e-4)))
        add(first, element)
        add(second, element, first)
    levels = random.integers(-100, 100, 30_000).astype("i1")
    add(levels.tobytes(), "I8")
    add((levels + random.choice(3, len(levels), p=[0.15, 0.7, 0.15]) - 1).astype("i1").tobytes(), "I8", levels.tobytes())
    return made


def main(name: str) -> None:
    made = chunks()
    headers = [chunk.record().encode() for chunk in made]
    body = b"".join(header + bytes(chunk.payload) for header, chunk in zip(headers, made, strict=True))
    size = sum(chunk.raw_length for chunk in made)
    raw: dict[ChunkId, bytes] = {}
    for chunk in made:
        raw[chunk.name] = bytes(decode(chunk, raw[chunk.base] if chunk.base else None))
    oid = ObjectId(sha256(b"".join(raw[chunk.name] for chunk in made)).digest())
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
