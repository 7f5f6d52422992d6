"""Tensors of weight files by oid, kept in the folder `tensors` of the local store: whoever asks again reads no weights."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from git_lepton.errors import WeightsMissing
from git_lepton.evidence.canonical import canonical
from git_lepton.evidence.identity import Tensor
from git_lepton.evidence.tensors import tensors_in
from git_lepton.format.pointer import Pointer
from git_lepton.store.chunk_store import ChunkMissing, ChunkStore
from git_lepton.store.durable import make_folder, write_durably

_MOST_FILES = 2_000


class WeightsNotHere(WeightsMissing):
    """A version of a model has weights that are not on this machine."""


class TensorCache:
    """What tensors objects have. `store` is the local store, `root` its folder. What is damaged is made anew."""

    def __init__(self, store: ChunkStore, root: Path) -> None:
        self._store = store
        self._folder = root / "tensors"
        self._known: dict[Pointer, Sequence[Tensor] | None] = {}

    def tensors_of(self, pointer: Pointer) -> Sequence[Tensor] | None:
        """The tensors of a safetensors file; None where it is none that is sound. Raises WeightsNotHere where they are neither in the
        store nor remembered."""
        if pointer not in self._known:
            self._known[pointer] = self._remembered_or_read(pointer)
        return self._known[pointer]

    def _remembered_or_read(self, pointer: Pointer) -> Sequence[Tensor] | None:
        path = self._folder / f"{pointer.oid.hex}.json"
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            return _parsed(path.read_bytes())
        lacking = WeightsNotHere(f"the weights of {pointer.oid} are not on this machine", "git lepton fetch brings them.")
        manifest = self._store.manifest(pointer.oid)
        if manifest is None:
            raise lacking
        try:
            found = tensors_in(manifest, self._store.read)
        except ChunkMissing as error:
            raise lacking from error
        with contextlib.suppress(OSError):  # a full disk, or one that may only be read: then it is read again
            make_folder(self._folder)
            self._make_room()
            write_durably(path, _encoded(found))
        return found

    def _make_room(self) -> None:
        files = sorted(self._folder.glob("*.json"), key=lambda path: path.stat().st_mtime)
        for path in files[: max(0, len(files) + 1 - _MOST_FILES)]:
            path.unlink(missing_ok=True)


def _encoded(tensors: Sequence[Tensor] | None) -> bytes:
    """A line with the SHA-256 of what follows it: JSON."""
    rows: Any = None
    if tensors is not None:
        rows = [[*tensor[:2], list(tensor.shape), tensor.length, [piece.hex() for piece in tensor.pieces]] for tensor in tensors]
    body = canonical(rows)
    return hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def _parsed(data: bytes) -> Sequence[Tensor] | None:
    """Raises ValueError, KeyError or TypeError for what is damaged."""
    head, _, body = data.partition(b"\n")
    if head != hashlib.sha256(body).hexdigest().encode():
        raise ValueError("damaged")
    rows = json.loads(body)
    if rows is None:
        return None
    return [
        Tensor(name, dtype, tuple(shape), length, tuple(bytes.fromhex(piece) for piece in pieces))
        for name, dtype, shape, length, pieces in rows
    ]
