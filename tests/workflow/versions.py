"""Versions of small models, as fine-tuning makes them, and what a store made of them."""

from __future__ import annotations

from typing import Any

import numpy

from git_lepton.format.identifiers import ObjectId
from git_lepton.store.local_store import LocalStore
from tests.support.tiny_models import safetensors

Tensors = dict[str, Any]


def weights(seed: int, *shape: int) -> Any:
    """fp32 values as weights have them."""
    return numpy.random.default_rng(seed).standard_normal(shape, dtype=numpy.float32) * numpy.float32(0.02)


def tuned(values: Any, seed: int = 1, much: float = 1e-4) -> Any:
    """The values after some training."""
    return values + numpy.random.default_rng(seed).standard_normal(values.shape, dtype=numpy.float32) * numpy.float32(much)


def model(seed: int = 0, layers: int = 3, rows: int = 256, columns: int = 128) -> Tensors:
    return {f"layer.{n}.weight": weights(1000 * seed + n, rows, columns) for n in range(layers)}


def all_tuned(tensors: Tensors, seed: int = 1, much: float = 1e-4) -> Tensors:
    return {name: tuned(values, seed + n, much) for n, (name, values) in enumerate(tensors.items())}


def bf16(tensors: Tensors, metadata: dict[str, str] | None = None) -> bytes:
    """A safetensors file of these tensors in bf16."""
    return safetensors({name: ("BF16", list(v.shape), bf16_bytes(v)) for name, v in tensors.items()}, metadata)


def fp32(tensors: Tensors) -> bytes:
    return safetensors({name: ("F32", list(v.shape), v.astype("<f4").tobytes()) for name, v in tensors.items()})


def bf16_bytes(values: Any) -> bytes:
    """Rounded to the nearest, ties to even, as every library does it."""
    bits = values.astype("<f4").view("<u4")
    return bytes(((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2"))


def chunks_of(store: LocalStore, oid: ObjectId) -> list[tuple[int, int, int]]:
    """Raw length, stored length and depth of each chunk of an object."""
    store.refresh()
    manifest = store.manifest(oid)
    assert manifest is not None
    records = [store.record(entry.chunk) for entry in manifest.entries]
    return [(record.raw_length, record.stored_length, record.depth) for record in records if record]


def stored_bytes(store: LocalStore) -> int:
    return store.usage().stored_bytes


def content(store: LocalStore, oid: ObjectId) -> bytes:
    manifest = store.manifest(oid)
    assert manifest is not None
    return b"".join(bytes(store.read(entry.chunk)) for entry in manifest.entries)
