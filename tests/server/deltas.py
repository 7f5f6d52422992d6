"""Chunks of bf16 weights on bases, for tests of what a server makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import httpx
import numpy

from git_lepton.format.coding.codec import decode, encode
from git_lepton.format.coding.encoded import Base, EncodedChunk
from git_lepton.format.identifiers import ChunkId
from tests.server.weights_client import Weights, WeightsClient

ELEMENT = "BF16"


def trained(seed: int, count: int = 20_000) -> bytes:
    """Weights as a training leaves them."""
    values = numpy.random.default_rng(seed).normal(0, 0.02, count).astype(numpy.float32)
    return (values.view(numpy.uint32) >> 16).astype(numpy.uint16).tobytes()


def tuned(data: bytes, seed: int, share: float = 0.3) -> bytes:
    """The same weights, this share of them a little changed."""
    words = numpy.frombuffer(data, numpy.uint16).copy()
    source = numpy.random.default_rng(seed)
    moved = source.random(len(words)) < share
    words[moved] += source.integers(1, 4, int(moved.sum())).astype(numpy.uint16)
    return words.tobytes()


def solo(data: bytes, allowed: frozenset[int] = frozenset({0, 1, 2})) -> EncodedChunk:
    return encode(data, ELEMENT, allowed)


def on(base: EncodedChunk, base_data: bytes, data: bytes) -> EncodedChunk:
    """A chunk that lies on another."""
    made = encode(data, ELEMENT, base=Base(base.name, base.depth, base_data, ELEMENT))
    assert (made.base, made.depth) == (base.name, base.depth + 1)
    return made


def versions(seed: int, count: int, pieces: int = 1) -> list[Weights]:
    """Files of which each lies on the one before: the first on nothing, the second on one base, and so on to at most three."""
    raw = [[trained(seed * 1000 + piece) for piece in range(pieces)]]
    for version in range(1, count):
        raw.append([tuned(data, seed * 1000 + version) for data in raw[-1]])
    coded = [[solo(data) for data in raw[0]]]
    for before, after in pairwise(raw):
        coded.append([on(chunk, old, new) for chunk, old, new in zip(coded[-1], before, after, strict=True)])
    return [Weights(b"".join(data), tuple(chunks)) for data, chunks in zip(raw, coded, strict=True)]


def fetch(client: WeightsClient, names: Sequence[bytes]) -> list[bytes]:
    """These chunks by one plan, its bases fetched and used as a client does that has none of them."""
    plan = client.plan(names)
    assert plan["missing"] == []
    every = [*names, *map(bytes.fromhex, plan["extra"])]
    found: dict[bytes, bytes] = {}
    with httpx.Client(verify=False) as plain:  # no TLS here; making its context takes longer than all else
        for index in sorted(range(len(every)), key=lambda index: plan["entries"][index][5]):
            pack, start, stored, raw, codec, depth, checksum, base = plan["entries"][index]
            url = client.urls(plan["packs"][pack]["pack"], start, start + stored).json()["urls"][0]
            payload = plain.get(url["url"], headers=url["headers"]).content
            name = None if base == -1 else ChunkId(every[base])
            chunk = EncodedChunk(ChunkId(every[index]), codec, depth, name, raw, payload, checksum)
            found[every[index]] = bytes(decode(chunk, None if name is None else found[name.raw]))
    return [found[name] for name in names]
