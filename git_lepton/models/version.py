"""A version of a model: its files in one tree, named by its digest (docs/evaluation.md, section 2)."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from git_lepton.errors import CorruptData, WrongUse
from git_lepton.evidence.gates import Evaluation, Gates, gates_in
from git_lepton.evidence.identity import VersionFile, evaluation_digest, is_adapter, model_digest
from git_lepton.evidence.models import Model
from git_lepton.format.lepton_toml import parse_lepton_toml
from git_lepton.format.pointer import POINTER_SIZES, Pointer, parse_pointer
from git_lepton.git.blob_content import BlobMissing
from git_lepton.git.promised import bring_files
from git_lepton.git.repository import SIZES
from git_lepton.models.tensor_cache import TensorCache, WeightsNotHere
from git_lepton.models.tree import LINK_MODE, NoSuchRevision, Tree, TreeFile, revision_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from git_lepton.git.repository import GitRepository

_TOML = "lepton.toml"


class NoInputs(WrongUse):
    """A glob of an evaluation's inputs matches nothing."""


class BaseNotFound(WrongUse):
    """The base of a model is not in this repository, though an adapter is nothing without it."""


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
    """Finds versions of models in the trees of one repository: what git and the local store say of them, never the work tree. What it
    found of a blob it keeps, for blobs do not change."""

    def __init__(self, git: GitRepository, tensors: TensorCache) -> None:
        self._git = git
        self._tensors = tensors
        self._blobs: dict[str, Pointer | int] = {}  # a pointer, or the size of an ordinary file, by blob
        self._bases: dict[str, Tree] = {}  # by what is written before the colon

    def gates(self, tree: Tree) -> Gates:
        """The gates of this tree's lepton.toml; none where it has no such file. Raises BadLeptonToml, NotMerged."""
        file = tree.file(_TOML)
        where = f"{tree.commit[:12]}'s" if tree.commit else "the staged"
        return gates_in(parse_lepton_toml(self._git.read_blob(file.blob), where) if file else {})

    def version(self, tree: Tree, model: Model) -> ModelVersion | None:
        """The version of a model in this tree, None where it has no files there. Raises WeightsNotHere, BaseNotFound, NotMerged, NotText,
        NotBrought, CorruptData, GitFailed."""
        entries = tree.matching(model.files)
        if not entries:
            return None
        files = self._files(tree, entries)
        base_tree, base_entries = self._base(tree, model, needed=is_adapter(files))
        base = self._files(base_tree or tree, base_entries or {})
        told = model.base if model.foreign_base else self._digest(base_tree, base) if base_tree else ""
        digest = self._digest(tree, files, told)
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
        inputs = {file.path: file.content_id for file in self._files(tree, found)}
        return KnownEvaluation(evaluation, inputs, evaluation_digest(evaluation, inputs).hex())

    def _base(self, tree: Tree, model: Model, *, needed: bool) -> tuple[Tree | None, Mapping[str, TreeFile] | None]:
        """The files of a base in this repository, and the tree that has them; None where there are none. `:PATH` is one in the same
        tree. Raises BaseNotFound where it is needed."""
        if not model.base or model.foreign_base:
            return None, None
        revision, _, path = model.base.partition(":")
        hint = f'[model.{model.name}] base = "REV:PATH"'
        try:
            if revision and revision not in self._bases:
                self._bases[revision] = revision_tree(self._git, revision)
            found = self._bases[revision] if revision else tree
            entries = found.matching([path]) if path else {}
            if entries:
                return found, entries
        except NoSuchRevision as error:
            hint = error.hint
        if needed:
            raise BaseNotFound(f"the base of [model.{model.name}] in lepton.toml, {model.base}, is not in this repository", hint)
        return None, None

    def _digest(self, tree: Tree, files: tuple[VersionFile, ...], base: str = "") -> str:
        try:
            return model_digest(files, self._tensors.tensors_of, base).hex()
        except WeightsNotHere as error:
            path = next(file.path for file in files if file.content == error.pointer)
            raise WeightsNotHere(error.pointer, path, tree.commit) from error

    def _files(self, tree: Tree, entries: Mapping[str, TreeFile]) -> tuple[VersionFile, ...]:
        if tree.commit and any(file.blob not in self._blobs for file in entries.values()):
            bring_files(self._git, tree.commit, entries.keys())
        self._look_at({file.blob for file in entries.values()})
        found = []
        for path, file in sorted(entries.items()):
            content = self._blobs[file.blob] if file.mode != LINK_MODE else None
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
            if kind != "blob":
                raise BlobMissing(name)
            sizes[name] = int(size)
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
        found = self._blobs[entries[file.path].blob]
        return found if isinstance(found, int) else len(found.encode())  # a link that reads like a pointer

    def _parameters(self, files: Iterable[VersionFile]) -> int | None:
        total = None
        for file in files:
            is_known = file.path.endswith(".safetensors")
            if not isinstance(file.content, Pointer) and not is_known:
                continue
            tensors = self._tensors.tensors_of(file.content) if isinstance(file.content, Pointer) and is_known else None
            if tensors is None:
                return None
            total = (total or 0) + sum(math.prod(tensor.shape) for tensor in tensors)
        return total
