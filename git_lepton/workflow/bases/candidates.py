"""Candidates: objects of a repository that may hold bases for a new version of a file, in git and in lepton.toml, the likeliest first.

1. The same path in HEAD and in the other parents that a merge, a cherry-pick or a rebase is about to give the next commit.
2. The same path before the last move of HEAD, and as it is staged.
3. Other files of the same model: shards of one name, the files of its [model.NAME].
4. The model's `base` in lepton.toml; the model that config.json or adapter_config.json beside the file says it was made from.
5. Files beside it in its folder.
"""

from __future__ import annotations

import json
import os
import re
import stat
from typing import TYPE_CHECKING

from git_lepton.errors import CorruptData, LeptonError, WrongUse
from git_lepton.evidence.models import ForeignPath, Model
from git_lepton.format.pointer import MAX_POINTER_BYTES, parse_pointer
from git_lepton.git.object_reader import ObjectReader
from git_lepton.git.repository import GitFailed
from git_lepton.settings.models import read_models

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from git_lepton.format.identifiers import ObjectId
    from git_lepton.git.repository import GitRepository

_PARENTS = ("HEAD", "MERGE_HEAD", "CHERRY_PICK_HEAD", "REBASE_HEAD", "REVERT_HEAD")
_EARLIER = ("ORIG_HEAD:", ":", ":2:", ":3:")  # the last ones: the index, and both sides where it is unmerged
_LONGEST_TEXT = 1 << 20
_CONFIGURATIONS = {
    "adapter_config.json": ("base_model_name_or_path",),
    "config.json": ("base_model_name_or_path", "_name_or_path"),
}
_SHARD = re.compile(r"-\d+-of-\d+(?=\.|$)")
_NUMBER = re.compile(r"\d+")
_MOST_OTHERS = 16  # files that are looked at for want of better


class BasePlaces:
    """Asks git, which is started with the first question. One thread at a time. Close it.

    `foreign` tells the objects that `git lepton fetch` brought of each base in another repository.
    """

    def __init__(self, git: GitRepository, foreign: Callable[[], Mapping[ForeignPath, Sequence[ObjectId]]]) -> None:
        self._git = git
        self._reader = ObjectReader(git)
        self._foreign = foreign
        self._models: list[Model] | None = None
        self._listing: dict[str, set[str]] | None = None
        self._added: dict[str, ObjectId] = {}
        self.not_fetched: dict[str, ForeignPath] = {}  # model -> its base in another repository that is not here
        self.not_in_git: dict[str, str] = {}  # model -> its base in this repository, at which git has no weights
        self.trouble: LeptonError | None = None  # why not all places could be looked at

    def added(self, path: str, oid: ObjectId) -> None:
        """git does not know yet that this path holds this object now."""
        self._added[path] = oid

    def of(self, path: str) -> Iterator[Sequence[ObjectId]]:
        """Objects that may hold bases for this path, in groups: those of one group are equally likely."""
        try:
            yield self._pointers([f"{parent}:{path}" for parent in _PARENTS])
            yield self._pointers([f"{before}{path}" for before in _EARLIER])
            yield self._of_paths(self._same_model(path))
            for model in self._models_of(path):
                yield self._declared(model)
            yield self._named_in_configuration(path)
            yield self._of_paths(self._beside(path))
        except GitFailed as error:
            self.trouble = error

    def close(self) -> None:
        self._reader.close()

    # what git has

    def _pointers(self, names: Iterable[str]) -> list[ObjectId]:
        """The objects that the pointers of these names name, each once."""
        found: dict[ObjectId, None] = {}
        for blob in self._reader.read(list(dict.fromkeys(names)), MAX_POINTER_BYTES).values():
            try:
                found[parse_pointer(blob.data).oid] = None
            except (CorruptData, WrongUse):
                continue  # an ordinary file, or a pointer of a later version
        return list(found)

    def _of_paths(self, paths: Iterable[str]) -> list[ObjectId]:
        paths, listing = list(paths), self._list()
        here = [self._added[path] for path in paths if path in self._added]
        return list(dict.fromkeys([*here, *self._pointers(blob for path in paths for blob in sorted(listing.get(path, ())))]))

    def _list(self) -> dict[str, set[str]]:
        """All paths of HEAD and of the index, and the blobs at them; read once."""
        if self._listing is None:
            self._listing = {}
            _, tree, _ = self._git.try_run("ls-tree", "-r", "-z", "--full-tree", "HEAD")
            _, index, _ = self._git.try_run("ls-files", "-s", "-z", "--full-name", "--", ":/")
            for line in os.fsdecode(tree + index).split("\0")[:-1]:
                head, path = line.split("\t", 1)
                fields = head.split(" ")  # mode, kind, name of a tree; mode, name, stage of the index
                if fields[0].startswith("100"):
                    self._listing.setdefault(path, set()).add(fields[2] if fields[1] == "blob" else fields[1])
        return self._listing

    def _paths(self) -> list[str]:
        return [*self._added, *(path for path in self._list() if path not in self._added)]

    # the same model, and what lies beside it

    def _same_model(self, path: str) -> list[str]:
        """Other files of the same model, the shards of one name first, and those of the same name but for its numbers."""
        others = [other for other in self._paths() if other != path]
        shards = [other for other in others if _SHARD.sub("", other) == _SHARD.sub("", path)]
        models = self._models_of(path)
        declared = [other for other in others if any(model.holds(other) for model in models)]
        numbered = [other for other in others if _NUMBER.sub("#", other) == _NUMBER.sub("#", path)]
        numbered.sort(key=lambda other: _numbers_between(other, path))
        return list(dict.fromkeys([*shards, *declared, *numbered[:_MOST_OTHERS]]))

    def _beside(self, path: str) -> list[str]:
        folder = path.rpartition("/")[0]
        beside = [other for other in self._paths() if other != path and other.rpartition("/")[0] == folder]
        return sorted(beside, key=lambda other: -_length_in_common(other, path))[:_MOST_OTHERS]

    # what is said of models

    def _models_of(self, path: str) -> list[Model]:
        return [model for model in self._all_models() if model.holds(path)]

    def _all_models(self) -> list[Model]:
        """The models of lepton.toml. A broken one has none, and `trouble` says why."""
        if self._models is None:
            try:
                self._models = read_models(self._git)
            except LeptonError as error:
                self._models, self.trouble = [], error
        return self._models

    def _declared(self, model: Model) -> Sequence[ObjectId]:
        if model.foreign_base is None:
            return self._declared_here(model) if model.base else []
        found = self._foreign().get(model.foreign_base)
        if found is None:
            self.not_fetched[model.name] = model.foreign_base
        return found or []

    def _declared_here(self, model: Model) -> Sequence[ObjectId]:
        found = self._at(model.base)
        if not found and model.base.startswith(":"):  # what this process stored, git lists when it has ended
            found = [oid for path, oid in self._added.items() if f"{path}/".startswith(f"{model.base[1:].strip('/')}/")]
        if not found:
            self.not_in_git[model.name] = model.base
        return found

    def _at(self, name: str) -> list[ObjectId]:
        """The objects at REV:PATH, which may be a folder."""
        found = self._reader.read([name], MAX_POINTER_BYTES).get(name)
        if found is None or found.kind != "tree":
            return self._pointers([name])
        lines = os.fsdecode(self._git.run("ls-tree", "-r", "-z", "--full-tree", found.name)).split("\0")[:-1]
        return self._pointers(line.split("\t", 1)[0].split(" ")[2] for line in lines if line.startswith("100"))

    def _named_in_configuration(self, path: str) -> list[ObjectId]:
        """The objects of the model that the configuration beside the file names as its base."""
        top = self._git.top_level
        named = _bases_named_in(top / path.rpartition("/")[0]) if top else []
        found: list[ObjectId] = []
        for name in named:
            models = [model for model in self._all_models() if name in (model.origin, model.origin.partition("@")[0])]
            found += self._of_paths(other for other in self._paths() if any(model.holds(other) for model in models))
            if top and not models and (folder := _inside(top, top / path.rpartition("/")[0], name)):
                found += self._at(f"HEAD:{folder}")
        return list(dict.fromkeys(found))


def _bases_named_in(folder: Path) -> list[str]:
    """What the configurations in a folder of the work tree say that their model was made from."""
    named = []
    for name, keys in _CONFIGURATIONS.items():
        values = _json_object(folder / name)
        named += [value for key in keys if isinstance(value := values.get(key), str) and value]
    return named


def _json_object(file: Path) -> dict[str, object]:
    """What a JSON file holds; nothing where it is absent, too long or something else."""
    try:
        value = json.loads(_short_text(file))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _short_text(file: Path) -> bytes:
    """The bytes of a regular file, of none that has no end or must be waited for; nothing of one that is too long. Raises OSError."""
    descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb") as source:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return b""
        text = source.read(_LONGEST_TEXT + 1)
    return text if len(text) <= _LONGEST_TEXT else b""


def _inside(top: Path, beside: Path, name: str) -> str | None:
    """The path from the top of a folder of the work tree that a configuration names, from its own place, the top or the root."""
    for start in (beside, top):
        try:
            place = os.path.relpath(os.path.normpath(start / name), top).replace(os.sep, "/")
            if not place.startswith("..") and place != "." and (top / place).exists():
                return place
        except (OSError, ValueError):  # a name that no file can have
            return None
    return None


def _numbers_between(one: str, other: str) -> int:
    """How far the numbers in two names, alike but for them, are from each other."""
    return sum(abs(int(a) - int(b)) for a, b in zip(_NUMBER.findall(one), _NUMBER.findall(other), strict=True))


def _length_in_common(one: str, other: str) -> int:
    return next((length for length, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
