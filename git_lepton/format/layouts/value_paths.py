"""Names what lies in the value of a pickle by the way to it: "model.encoder.weight", "optimizer.state.0.exp_avg"."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from git_lepton.format.layouts.pickle_values import Node

MAX_DEPTH = 64
MAX_PATH_LENGTH = 1024
_OF_MODULES = ("_modules", "_parameters", "_buffers")  # how torch.nn.Module keeps what a state_dict names without them

Wanted = TypeVar("Wanted")


def path_of_each(value: object, kind: type[Wanted]) -> Iterator[tuple[str, Wanted]]:
    """Every object of this kind with the first way to it. What lies too deep, or has too long a name, is left out."""
    seen: set[int] = set()  # ids of what `value` keeps alive; pickles may have cycles and share parts
    trail = [iter([("", value)])]
    while trail:
        path, found = next(trail[-1], (None, None))
        if path is None:
            trail.pop()
        elif isinstance(found, kind):
            yield path, found
        elif id(found) not in seen and len(trail) < MAX_DEPTH and len(path) <= MAX_PATH_LENGTH and _has_parts(found):
            seen.add(id(found))
            trail.append(_parts(path, found))


def _has_parts(value: object) -> bool:
    return isinstance(value, Node | list) or type(value) is tuple


def _parts(path: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, Node):
        for key, part in zip(value.pairs[::2], value.pairs[1::2], strict=True):
            yield _joined(path, key), part
        yield path, value.state
        yield path, value.arguments
    elif isinstance(value, list | tuple):
        for index, part in enumerate(value):
            yield _joined(path, index), part


def _joined(path: str, key: object) -> str:
    text = key.decode("utf-8", "backslashreplace") if isinstance(key, bytes) else str(key) if isinstance(key, int) else "?"
    if text in _OF_MODULES:
        return path
    return f"{path}.{text}" if path else text
