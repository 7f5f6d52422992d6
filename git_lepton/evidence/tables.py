"""Tables of a lepton.toml, read key by key: what is unknown or of a wrong type is refused with the table's name."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from git_lepton.format.lepton_toml import BadLeptonToml

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_METRIC = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,99}")
_SECONDS = {"s": 1, "m": 60, "h": 3600}


class Table:
    """One table, named as lepton.toml has it. Each method takes a key out; `end` refuses what is left. All raise BadLeptonToml."""

    def __init__(self, name: str, value: object) -> None:
        if not isinstance(value, Mapping):
            raise BadLeptonToml(f"[{name}] in lepton.toml is not a table")
        self.name = name
        self._left: dict[str, Any] = dict(value)

    def text(self, key: str, default: str | None = None, *, one_of: tuple[str, ...] = ()) -> str:
        value = self._left.pop(key, default)
        if value is None:
            raise BadLeptonToml(f"[{self.name}] in lepton.toml lacks {key}")
        if not isinstance(value, str) or (not value.strip() and default is None):
            raise self._wrong(key, "a text")
        if one_of and value not in one_of:
            raise self._wrong(key, " or ".join(f'"{word}"' for word in one_of))
        return value

    def texts(self, key: str, default: tuple[str, ...] = (), *, one_of: tuple[str, ...] = ()) -> tuple[str, ...]:
        value = self._left.pop(key, list(default))
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            raise self._wrong(key, "a list of texts")
        if one_of and not set(value) <= set(one_of):
            raise self._wrong(key, f"a list of {', '.join(one_of)}")
        return tuple(value)

    def flag(self, key: str, default: bool) -> bool:
        value = self._left.pop(key, default)
        if not isinstance(value, bool):
            raise self._wrong(key, "true or false")
        return value

    def number(self, key: str) -> float | None:
        """None where the key is not there."""
        value = self._left.pop(key, None)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self._wrong(key, "a number")
        return float(value)

    def count(self, key: str, default: int, most: int) -> int:
        value = self._left.pop(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            raise self._wrong(key, f"a number from 1 to {most}")
        return value

    def seconds(self, key: str, default: float) -> float:
        """A time: `90`, `"90s"`, `"10m"`, `"2h"`, in seconds."""
        value = self._left.pop(key, default)
        if isinstance(value, str):
            digits, unit = value[:-1], value[-1:]
            if unit in _SECONDS and re.fullmatch(r"\d{1,6}(\.\d{1,3})?", digits):
                value = float(digits) * _SECONDS[unit]
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 7 * 86_400:
            raise self._wrong(key, 'a time such as "10m"')
        return float(value)

    def take(self, key: str) -> object:
        """The value as it is, None where there is none."""
        return self._left.pop(key, None)

    def wrong(self, key: str, wanted: str) -> BadLeptonToml:
        """The error for a value that is not what it should be."""
        return self._wrong(key, wanted)

    def end(self) -> None:
        if self._left:
            raise BadLeptonToml(
                f"[{self.name}] in lepton.toml has an unknown key: {', '.join(sorted(map(str, self._left)))[:200]}"
            )

    def _wrong(self, key: str, wanted: str) -> BadLeptonToml:
        return BadLeptonToml(f"{key} of [{self.name}] in lepton.toml should be {wanted}")


def subtables(tables: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The tables [KEY.NAME], by name. Raises BadLeptonToml."""
    found = tables.get(key, {})
    if not isinstance(found, Mapping):
        raise BadLeptonToml(f"`{key}` in lepton.toml is not a table")
    return dict(found)


def check_name(kind: str, name: str) -> str:
    """The name of a model or an evaluation, as it is. Raises BadLeptonToml."""
    if not _NAME.fullmatch(name):
        raise BadLeptonToml(
            f"{name[:100]!r} in lepton.toml cannot be the name of {kind}", "Use letters, digits, '.', '_' and '-'."
        )
    return name


def is_metric_name(name: str) -> bool:
    """Whether a metric can have this name."""
    return _METRIC.fullmatch(name) is not None
