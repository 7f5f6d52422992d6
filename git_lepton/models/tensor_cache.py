"""Tensors of weight files by oid, kept in the folder `tensors` of the local store: whoever asks again reads no weights."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from git_lepton.errors import CorruptData, LeptonError, WeightsMissing
from git_lepton.evidence.canonical import canonical
from git_lepton.evidence.identity import Tensor
from git_lepton.evidence.tensors import tensors_in
from git_lepton.format.pointer import Pointer
from git_lepton.store.chunk_store import ChunkMissing, ChunkStore

_FORMAT = b"lepton-tensors-1 "
_MOST_BYTES = 64 * 1024 * 1024
_WRITES_BETWEEN_LOOKS = 200


class WeightsNotHere(WeightsMissing):
    """A version of a model has weights that are not on this machine."""

    def __init__(self, pointer: Pointer, path: str = "", commit: str = "") -> None:
        what = f"{path}{f' at {commit[:12]}' if commit else ''}" if path else str(pointer.oid)
        super().__init__(
            f"the weights of {what} are not on this machine", f"git lepton fetch {commit[:12]}".rstrip() + " brings them."
        )
        self.pointer = pointer


class TensorCache:
    """What tensors objects have. `store` is the local store, `root` its folder. What is damaged is made anew, what is too much goes."""

    def __init__(self, store: ChunkStore, root: Path, bring: Callable[[Pointer], object] | None = None) -> None:
        """`bring` fetches weights that are not here; without it, or where it fails, they are said to be missing."""
        self._store, self._bring = store, bring
        self._folder = root / "tensors"
        self._known: dict[Pointer, Sequence[Tensor] | None] = {}
        self._writes = 0

    def tensors_of(self, pointer: Pointer) -> Sequence[Tensor] | None:
        """The tensors of a safetensors file; None where it is none that is sound. Raises WeightsNotHere where they are neither in the
        store nor remembered, and CorruptData."""
        if pointer not in self._known:
            self._known[pointer] = self._remembered_or_read(pointer)
        return self._known[pointer]

    def _remembered_or_read(self, pointer: Pointer) -> Sequence[Tensor] | None:
        path = self._folder / f"{pointer.oid.hex}-{pointer.size}.json"
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            return _parsed(path.read_bytes())
        manifest = self._store.manifest(pointer.oid)
        if self._bring and (manifest is None or self._store.missing([entry.chunk for entry in manifest.entries[:1]])):
            with contextlib.suppress(LeptonError):
                self._bring(pointer)
                manifest = self._store.manifest(pointer.oid)
        if manifest is None:
            raise WeightsNotHere(pointer)
        if manifest.size != pointer.size:
            raise CorruptData(f"{pointer.oid} has {manifest.size} bytes, its pointer says {pointer.size}", "Restore the pointer.")
        try:
            found = tensors_in(manifest, self._store.read)
        except ChunkMissing as error:
            raise WeightsNotHere(pointer) from error
        with contextlib.suppress(OSError):  # a full disk, or one that may only be read: then it is read again
            self._write(path, _encoded(found))
        return found

    def _write(self, path: Path, data: bytes) -> None:
        """So that nobody reads half of it. Not durably: what a loss of power leaves is damaged, and made anew."""
        if self._writes % _WRITES_BETWEEN_LOOKS == 0:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._make_room()
        self._writes += 1
        temporary = self._folder / f".{os.urandom(8).hex()}"
        try:
            temporary.write_bytes(data)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def _make_room(self) -> None:
        """Let the oldest go where there is too much; what killed processes left half written grows old too."""
        with os.scandir(self._folder) as entries:
            files = [(entry.stat(follow_symlinks=False), entry.path) for entry in entries]
        total = sum(status.st_size for status, _ in files)
        for status, path in sorted(files, key=lambda file: file[0].st_mtime_ns):
            if total <= _MOST_BYTES:
                break
            Path(path).unlink(missing_ok=True)
            total -= status.st_size


def _encoded(tensors: Sequence[Tensor] | None) -> bytes:
    """A line with the format and the SHA-256 of what follows it: JSON."""
    rows: Any = None
    if tensors is not None:
        rows = [[*tensor[:2], list(tensor.shape), tensor.length, [piece.hex() for piece in tensor.pieces]] for tensor in tensors]
    body = canonical(rows)
    return _FORMAT + hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def _parsed(data: bytes) -> Sequence[Tensor] | None:
    """Raises ValueError, KeyError or TypeError for what is damaged, or of another format."""
    head, _, body = data.partition(b"\n")
    if head != _FORMAT + hashlib.sha256(body).hexdigest().encode():
        raise ValueError("damaged")
    rows = json.loads(body)
    if rows is None:
        return None
    return [
        Tensor(name, dtype, tuple(shape), length, tuple(bytes.fromhex(piece) for piece in pieces))
        for name, dtype, shape, length, pieces in rows
    ]
