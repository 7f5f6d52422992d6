"""The [model.NAME] tables of a lepton.toml: which files are a model, what it is based on, where it came from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from git_lepton.format.globs import matcher
from git_lepton.format.lepton_toml import BadLeptonToml

_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
_FOREIGN = re.compile(rf"({_NAME}/{_NAME})@([^{{:][^:]*):(.*)", re.DOTALL)


class ForeignPath(NamedTuple):
    """A file or folder of one version of another repository on the same server, written `OWNER/REPO@REV:PATH`."""

    repository: str
    revision: str
    path: str

    def __str__(self) -> str:
        return f"{self.repository}@{self.revision}:{self.path}"


class Model(NamedTuple):
    """One model. `files`: globs from the top of the work tree; `base` as it is written; `origin`: ORG/NAME@REV or a folder's name.

    A `*` stands for anything but a slash, `**` for any folders; a pattern that names a folder means all that is in it.
    """

    name: str
    files: tuple[str, ...] = ()
    base: str = ""
    origin: str = ""

    def holds(self, path: str) -> bool:
        """Whether this file, its path from the top, belongs to the model."""
        return any(matcher(pattern.removeprefix("./").strip("/"))(path) for pattern in self.files)

    @property
    def foreign_base(self) -> ForeignPath | None:
        """The base, where it lies in another repository."""
        return foreign_path(self.base)


def foreign_path(text: str) -> ForeignPath | None:
    """`OWNER/REPO@REV:PATH`, or None for any other text (REV:PATH names something in this repository)."""
    found = _FOREIGN.fullmatch(text)
    return ForeignPath(found[1], found[2], found[3].strip("/")) if found else None


def models_in(tables: Mapping[str, Any]) -> list[Model]:
    """The models of a parsed lepton.toml, in its order. Raises BadLeptonToml for a table that is none."""
    models = tables.get("model", {})
    if not isinstance(models, Mapping):
        raise BadLeptonToml("`model` in lepton.toml is not a table", '[model.NAME]\nfiles = ["models/NAME/*"]')
    return [_model(name, table) for name, table in models.items()]


def _model(name: str, table: Any) -> Model:
    files = table.get("files", []) if isinstance(table, Mapping) else None
    texts = [table.get(key, "") for key in ("base", "origin")] if isinstance(table, Mapping) else []
    if not isinstance(files, list) or not all(isinstance(text, str) for text in [*files, *texts]):
        raise BadLeptonToml(
            f"[model.{name}] in lepton.toml is not as it should be", 'files = ["models/NAME/*"]\nbase = "REV:PATH"'
        )
    return Model(name, tuple(files), *texts)
