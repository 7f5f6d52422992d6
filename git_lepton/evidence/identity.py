"""Identity of what is judged and by what: the digests of a model's version and of an evaluation (docs/evaluation.md, section 2)."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from git_lepton.errors import WrongUse
from git_lepton.evidence.canonical import NotCanonical, canonical, digest_of_lines
from git_lepton.evidence.gates import Evaluation
from git_lepton.format.pointer import Pointer

ADAPTER = "adapter_config.json"
_WEIGHTS = ".safetensors"
_INDEX = ".safetensors.index.json"


class NotText(WrongUse):
    """A file has a name that is no text, so nothing that is named by its files can have a digest."""


class VersionFile(NamedTuple):
    """A file of one version: its path from the top, and the pointer that stands there, or the name of its blob (hex)."""

    path: str
    content: Pointer | str

    @property
    def content_id(self) -> str:
        """The ID of its content, as section 2 has it."""
        return f"sha256:{self.content.oid.hex}" if isinstance(self.content, Pointer) else f"git:{self.content}"


class Tensor(NamedTuple):
    """A tensor of a weight file: its name, dtype as the file writes it, shape, size in bytes, and its pieces' names, 32 bytes each."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    length: int
    pieces: tuple[bytes, ...]


TensorsOf = Callable[[Pointer], Sequence[Tensor] | None]
"""The tensors of a safetensors file; None where it is none that is sound."""


def model_digest(files: Iterable[VersionFile], tensors_of: TensorsOf, base: str = "") -> bytes:
    """The digest of a version of a model: 32 bytes. `base`: what the line of an adapter's base says (the digest in hex, or the
    reference as it is written); left out of a model that is no adapter. Raises NotText for a name that is not UTF-8."""
    found = sorted(files, key=lambda file: file.path)
    top = shared_folder([file.path for file in found])
    lines: list[bytes] = []
    folders: dict[str, list[VersionFile]] = {}
    for file in found:
        folders.setdefault(posixpath.dirname(below(top, file.path)), []).append(file)
    for folder, inside in folders.items():
        shards = [file for file in inside if file.path.endswith(_WEIGHTS)]
        weights = weights_digest(shards, tensors_of) if shards else None
        if weights is not None:
            lines.append(_line(["weights", folder, weights.hex()], folder))
        named = [file for file in inside if weights is None or not file.path.endswith((_WEIGHTS, _INDEX))]
        lines += [_line(["file", below(top, file.path), file.content_id], file.path) for file in named]
    if base and is_adapter(found):
        lines.append(canonical(["base", base]))
    return digest_of_lines("lepton-model-1", sorted(lines))


def is_adapter(files: Iterable[VersionFile]) -> bool:
    """Whether a model with these files is one that works on a base."""
    return any(posixpath.basename(file.path) == ADAPTER for file in files)


def weights_digest(shards: Sequence[VersionFile], tensors_of: TensorsOf) -> bytes | None:
    """The weights digest of the safetensors files of one folder; None where they are to be named file by file."""
    tensors: dict[bytes, Tensor] = {}
    for shard in shards:
        inside = tensors_of(shard.content) if isinstance(shard.content, Pointer) else None
        if inside is None:
            return None
        for tensor in inside:
            name = tensor.name.encode("utf-8", "surrogatepass")
            if name in tensors:
                return None
            tensors[name] = tensor
    lines = (_tensor_line(tensors[name]) for name in sorted(tensors))
    return digest_of_lines("lepton-weights-1", lines)


def evaluation_digest(evaluation: Evaluation, inputs: Mapping[str, str]) -> bytes:
    """The digest of an evaluation: 32 bytes. `inputs`: the IDs of the content of its inputs, by their paths from the top. Raises NotText
    for one that is not UTF-8."""
    for path in inputs:
        _line(path, path)
    return digest_of_lines("lepton-evaluation-1", [canonical({"command": evaluation.command, "inputs": dict(inputs)})])


def shared_folder(paths: Sequence[str]) -> str:
    """The deepest folder that all these files lie in; "" for the top."""
    return posixpath.commonpath([posixpath.dirname(path) for path in paths]) if paths else ""


def below(folder: str, path: str) -> str:
    """A path, as it is seen from a folder above it."""
    return path[len(folder) + 1 :] if folder else path


def _line(value: Any, path: str) -> bytes:
    try:
        return canonical(value)
    except NotCanonical as error:
        named = path.encode("utf-8", "backslashreplace").decode()
        raise NotText(
            f"{named} is not UTF-8, so a model or an evaluation cannot be named by it", "git mv gives it another name."
        ) from error


def _tensor_line(tensor: Tensor) -> bytes:
    return canonical([tensor.name, tensor.dtype, list(tensor.shape), [piece.hex() for piece in tensor.pieces]])
