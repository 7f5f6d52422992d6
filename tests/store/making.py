"""Chunks, objects and stores made for tests."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
import textwrap
from collections.abc import Iterable
from pathlib import Path

import xxhash

from git_lepton.format.coding.codec import encode
from git_lepton.format.coding.encoded import EncodedChunk
from git_lepton.format.identifiers import ChunkId, ObjectId
from git_lepton.format.manifest import Manifest, ManifestEntry


def some_bytes(seed: int, length: int = 5000) -> bytes:
    """The same bytes for the same seed; every seed gives others."""
    return random.Random(seed).randbytes(length)


def chunk_of(data: bytes, *, depth: int = 0, base: ChunkId | None = None) -> EncodedChunk:
    """Kept raw; with a base its payload cannot be decoded, but stores can keep it."""
    if base is None:
        return encode(data, "", frozenset({0}))
    return EncodedChunk(ChunkId.of(data), 0, depth, base, len(data), data, xxhash.xxh3_64_intdigest(data))


def manifest_of(datas: Iterable[bytes]) -> Manifest:
    datas = list(datas)
    whole = b"".join(datas)
    entries = tuple(ManifestEntry(ChunkId.of(data), len(data)) for data in datas)
    return Manifest(ObjectId(hashlib.sha256(whole).digest()), len(whole), entries)


def pack_files(root: Path) -> list[Path]:
    return sorted((root / "packs").glob("*.pack"))


def run_python(script: str) -> subprocess.CompletedProcess[str]:
    """Run this in a process of its own; its errors come out here."""
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    return done
