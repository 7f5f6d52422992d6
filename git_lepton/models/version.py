"""A version of a model: its files in one tree, named by its digest (docs/evaluation.md, section 2)."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from git_lepton.errors import CorruptData, WrongUse
from git_lepton.evidence.gates import Evaluation, Gates, gates_in
from git_lepton.evidence.identity import VersionFile, evaluation_digest, model_digest
from git_lepton.evidence.models import Model
from git_lepton.format.lepton_toml import parse_lepton_toml
from git_lepton.format.pointer import POINTER_SIZES, Pointer, parse_pointer
from git_lepton.git.repository import SIZES
from git_lepton.models.tensor_cache import TensorCache
from git_lepton.models.tree import Tree, TreeFile, revision_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from git_lepton.git.repository import GitRepository

_TOML = "lepton.toml"


class NoInputs(WrongUse):
    """A glob of an evaluation's inputs matches nothing."""


class BaseNotFound(WrongUse):
    """The base of a model is not in this repository."""


@dataclass(frozen=True)
class ModelVersion:
    """The files of a model in one tree. `entries`: how git has them, by path; `digest` in hex; `base`: the files of its base in this
    repository (none, where it has no base or that lies elsewhere). `parameters`: None where a file's format does not tell it."""

    name: str
    files: tuple[VersionFile, ...]
    entries: Mapping[str, TreeFile]
    digest: str
    size_bytes: int
    parameters: int | None
    base: tuple[VersionFile, ...] = ()
    base_entries: Mapping[str, TreeFile] | None = None

    @property
    def pointers(self) -> list[Pointer]:
        """The weights of its files and of its base's."""
        return [file.content for file in (*self.files, *self.base) if isinstance(file.content, Pointer)]


class KnownEvaluation(NamedTuple):
    """An evaluation with its inputs in one tree: the IDs of their content by path, and its digest in hex."""

    evaluation: Evaluation
    inputs: Mapping[str, str]
    digest: str


class Versions:
    """Finds versions of models in the trees of one repository. What it found of a tree it keeps: trees do not change."""

    def __init__(self, git: GitRepository, tensors: TensorCache) -> None:
        self._git = git
        self._tensors = tensors
        self._blobs: dict[str, Pointer | int] = {}  # a pointer, or the size of an ordinary file, by blob

    def gates(self, tree: Tree) -> Gates:
        """The gates of this tree's lepton.toml; none where it has no such file. Raises BadLeptonToml."""
        file = tree.files.get(_TOML)
        where = f"{tree.commit[:12]}'s" if tree.commit else "the staged"
        return gates_in(parse_lepton_toml(self._git.read_blob(file.blob), where) if file else {})

    def version(self, tree: Tree, model: Model) -> ModelVersion | None:
        """The version of a model in this tree, None where it has no files there. Raises WeightsNotHere, BaseNotFound, GitFailed."""
        entries = tree.matching(model.files)
        if not entries:
            return None
        files = self._files(entries)
        base, base_entries, told = self._base(model) if model.base else ((), None, "")
        digest = model_digest(files, self._tensors.tensors_of, told).hex()
        size = sum(self._size(file, entries) for file in files)
        return ModelVersion(model.name, files, entries, digest, size, self._parameters(files), base, base_entries)

    def evaluation(self, tree: Tree, evaluation: Evaluation) -> KnownEvaluation:
        """An evaluation as this tree has its inputs. Raises NoInputs."""
        found: dict[str, TreeFile] = {}
        for glob in evaluation.inputs:
            matched = tree.matching([glob])
            if not matched:
                raise NoInputs(
                    f"inputs of [eval.{evaluation.name}] in lepton.toml has {glob!r}, which matches no file that git has",
                    f"git add {glob}, or correct the glob.",
                )
            found |= matched
        inputs = {file.path: file.content_id for file in self._files(found)}
        return KnownEvaluation(evaluation, inputs, evaluation_digest(evaluation, inputs).hex())

    def _base(self, model: Model) -> tuple[tuple[VersionFile, ...], Mapping[str, TreeFile] | None, str]:
        if model.foreign_base:
            return (), None, model.base
        revision, _, path = model.base.partition(":")
        tree = revision_tree(self._git, revision) if revision else None
        entries = tree.matching([path]) if tree and path else {}
        if not entries:
            raise BaseNotFound(
                f"the base of [model.{model.name}] in lepton.toml, {model.base}, is not in this repository", 'base = "REV:PATH"'
            )
        files = self._files(entries)
        return files, entries, model_digest(files, self._tensors.tensors_of).hex()

    def _files(self, entries: Mapping[str, TreeFile]) -> tuple[VersionFile, ...]:
        self._look_at({file.blob for file in entries.values()})
        found = []
        for path, file in sorted(entries.items()):
            content = self._blobs.get(file.blob)
            found.append(VersionFile(path, content if isinstance(content, Pointer) else file.blob))
        return tuple(found)

    def _look_at(self, blobs: Iterable[str]) -> None:
        """Find out which of these are pointers, and how long the others are: with two runs of git however many there are."""
        new = sorted(set(blobs) - self._blobs.keys())
        if not new:
            return
        lines = self._git.run(*SIZES, stdin="".join(f"{blob}\n" for blob in new).encode()).splitlines()
        sizes = {}
        for line in lines:
            name, kind, size, *_ = [*os.fsdecode(line).split(" "), "", ""]
            sizes[name] = int(size) if kind == "blob" else 0
        self._blobs |= sizes
        small = [("", blob) for blob, size in sizes.items() if size in POINTER_SIZES]
        for blob in self._git.read_small(small):
            try:
                self._blobs[blob.blob] = parse_pointer(blob.data)
            except (CorruptData, WrongUse):  # an ordinary file of that length; a damaged pointer is its path's own trouble
                continue

    def _size(self, file: VersionFile, entries: Mapping[str, TreeFile]) -> int:
        if isinstance(file.content, Pointer):
            return file.content.size
        size = self._blobs.get(entries[file.path].blob, 0)
        return size if isinstance(size, int) else 0

    def _parameters(self, files: Iterable[VersionFile]) -> int | None:
        total = None
        for file in files:
            if not isinstance(file.content, Pointer):
                continue
            tensors = self._tensors.tensors_of(file.content) if file.path.endswith(".safetensors") else None
            if tensors is None:
                return None
            total = (total or 0) + sum(math.prod(tensor.shape) for tensor in tensors)
        return total
