"""The patterns of one attribute file that concern one attribute, so laid out that a path meets few of them."""

from __future__ import annotations

from git_lepton.format.attributes.pathname_glob import SPECIAL, compile_glob

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Iterable, Iterator

    from git_lepton.format.attributes.lines import Value
    from git_lepton.format.attributes.work import Work

    States = tuple[tuple[bytes, Value], ...]

_COMPILING = 300  # units of work for a glob, besides those for its length
_STEPS_A_UNIT = 256  # bytes of pattern times bytes of path


class Frame:
    """`states_for` gives what the lines say whose patterns match, the last line first.

    Patterns are found by the bytes that a path must end with: a whole name, `*.bin`, or what follows a glob's last special
    character. Of those that end in a special character every one is tried.
    """

    def __init__(self, rules: Iterable[tuple[bytes, States]], *, fold: bool, work: Work) -> None:
        self._work = work
        self._states: list[States] = []
        self._by_tail: dict[int, dict[bytes, list[_Pattern]]] = {}
        for pattern, states in rules:
            if pattern and not pattern.endswith(b"/"):  # what ends in a slash means folders, and folders have no attributes here
                self._add(_Pattern(len(self._states), pattern, fold))
                self._states.append(states)

    def __bool__(self) -> bool:
        return bool(self._states)

    def _add(self, pattern: _Pattern) -> None:
        self._by_tail.setdefault(len(pattern.tail), {}).setdefault(pattern.tail, []).append(pattern)

    def states_for(self, path: bytes) -> Iterator[States]:
        """`path` is seen from the file's own folder; in lower case where case is folded."""
        name = path[path.rfind(b"/") + 1 :]
        candidates = [
            one for size, tails in self._by_tail.items() for one in tails.get(path[len(path) - size :] if size else b"", ())
        ]
        self._work.spend(len(self._by_tail) + len(candidates))
        candidates.sort(key=_position, reverse=True)
        for pattern in candidates:
            if pattern.matches(path, name, self._work):
                yield self._states[pattern.position]


class _Pattern:
    """One pattern: `tail` is what a path ends with that it matches."""

    __slots__ = ("_fold", "_glob", "_in_name", "_is_suffix", "_literal", "_rest", "position", "tail")

    def __init__(self, position: int, pattern: bytes, fold: bool) -> None:
        self.position, self._fold = position, fold
        self._glob: re.Pattern[bytes] | None = None
        self._in_name = b"/" not in pattern
        pattern = pattern.removeprefix(b"/")
        first = SPECIAL.search(pattern)
        # git compares what comes before the first special character by itself: after `a`, `**/b` stands at a beginning
        start = first.start() if first and not self._in_name else 0 if first else len(pattern)
        self._literal, self._rest = pattern[:start], pattern[start:]
        if fold:
            self._literal = self._literal.lower()
        self._is_suffix = self._in_name and self._rest[:1] == b"*" and not SPECIAL.search(self._rest, 1)
        tail = self._literal if not first else self._rest[1:] if self._is_suffix else _tail(self._rest)
        self.tail = tail.lower() if fold else tail

    def matches(self, path: bytes, name: bytes, work: Work) -> bool:
        """Whether this is a pattern of the path, which does end with `tail`; `name` is the path's last part."""
        if self._is_suffix:
            return True
        if self._in_name:
            path = name
        if not self._rest:
            return path == self._literal
        if not path.startswith(self._literal):
            return False
        work.spend(len(self._rest) * len(path) // _STEPS_A_UNIT)
        if self._glob is None:
            work.spend(_COMPILING + 4 * len(self._rest))
            self._glob = compile_glob(self._rest, fold=self._fold)
        return self._glob.match(path, len(self._literal)) is not None


def _position(pattern: _Pattern) -> int:
    return pattern.position


def _tail(rest: bytes) -> bytes:
    """The bytes after the last character that is not itself: they stand so at the end of what matches."""
    last = max(rest.rfind(special) for special in (b"*", b"?", b"]", b"[", b"\\"))
    tail = rest[last + 2 :] if rest[last : last + 1] == b"\\" else rest[last + 1 :]
    return tail.removeprefix(b"/")  # that of `**/` is not in a path without folders
