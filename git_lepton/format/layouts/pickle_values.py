"""Values of a scanned pickle, which were never executed."""

from __future__ import annotations

from typing import NamedTuple


class Global(NamedTuple):
    """What the pickle would import."""

    module: bytes
    name: bytes


class Node:
    """A dict (`function` is None), or what `function` would have made of `arguments`; with the pairs and the state set on it."""

    __slots__ = ("arguments", "function", "pairs", "state")

    def __init__(self, function: Global | None = None, arguments: object = ()) -> None:
        self.function = function
        self.arguments = arguments
        self.pairs: list[object] = []  # key, value, key, value ...
        self.state: object = None


class _Unknown:
    __slots__ = ()


UNKNOWN = _Unknown()  # a value that does not matter here
Value = object  # bool, int, bytes (a text, in UTF-8), None, tuple, list, Global, Node, UNKNOWN, or what the caller made
