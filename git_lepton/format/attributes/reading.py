"""The reading of attribute files, of one version and of those beside it: what they say of paths, one attribute at a time.

The file nearest to a path counts first, and in a file its last line; a macro is what its last definition makes it, wherever it is
used. `.git/info/attributes` counts before all, a user's own file and the system's after all.
"""

from __future__ import annotations

from git_lepton.format.attributes.frame import Frame
from git_lepton.format.attributes.lines import lines_of
from git_lepton.format.attributes.work import Work

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from git_lepton.format.attributes.frame import States
    from git_lepton.format.attributes.lines import Line, Value

ATTRIBUTES = b".gitattributes"
BYTES_A_UNIT = 3  # of work, for what is read of a file
_BUILT_IN = b"[attr]binary -diff -merge -text\n"


class AttributeReading:
    """Values of one attribute.

    `files`: path of each .gitattributes file -> its bytes. `in_index`: they are read as git reads its index (a clone, a server), not
    as files of a work tree. `beside`: files that are in no version, the most important first; `private` is the one in .git/info,
    which counts before the version's own. `ignore_case` is what core.ignoreCase says. Raises TooMuchWork, here and later.
    """

    def __init__(
        self,
        files: Mapping[bytes, bytes],
        attribute: bytes = b"filter",
        *,
        in_index: bool = True,
        private: bytes = b"",
        beside: Sequence[bytes] = (),
        ignore_case: bool = False,
        work: Work | None = None,
    ) -> None:
        self._attribute, self._fold, self._work = attribute, ignore_case, work or Work()
        own = {path[: -len(ATTRIBUTES)]: content for path, content in files.items() if _is_attributes(path)}
        first = list(self._lines(private, in_index=False))
        top = list(self._lines(own.pop(b"", b""), in_index=in_index))
        others = [list(self._lines(content, in_index=False)) for content in (*beside, _BUILT_IN)]
        self._macros = _macros([first, top, *others])
        self._wanted = _reaching(attribute, self._macros)
        self._before = [self._frame(first)]
        self._after = [frame for frame in map(self._frame, (top, *others)) if frame]
        frames = {folder: self._frame(self._lines(content, in_index=in_index)) for folder, content in own.items()}
        self._by_folder = {folder: frame for folder, frame in frames.items() if frame}
        self._depth = max((folder.count(b"/") for folder in self._by_folder), default=0)

    def _lines(self, content: bytes, *, in_index: bool) -> Iterable[Line]:
        self._work.spend(len(content) // BYTES_A_UNIT)
        return lines_of(content, in_index=in_index)

    def _frame(self, lines: Iterable[Line]) -> Frame:
        rules = ((line.pattern, self._concerning(line.states)) for line in lines if not line.is_macro)
        return Frame(((pattern, states) for pattern, states in rules if states), fold=self._fold, work=self._work)

    def _concerning(self, states: States) -> States:
        return tuple(state for state in states if state[0] in self._wanted)

    def value(self, path: bytes) -> Value:
        """The value that holds for the file at `path`."""
        values: dict[bytes, Value] = {}
        seen = path.lower() if self._fold else path
        for frame, start in self._frames(path):
            for states in frame.states_for(seen[start:]):
                self._take(states, values)
                if self._attribute in values:
                    return values[self._attribute]
        return None

    def paths_with(self, value: Value, paths: Iterable[bytes]) -> set[bytes]:
        """Those of the paths for which the attribute has this value."""
        return {path for path in paths if self.value(path) == value}

    def _frames(self, path: bytes) -> Iterable[tuple[Frame, int]]:
        """The files that count for a path, and where the path as each sees it begins; the first counts most."""
        yield from ((frame, 0) for frame in self._before)
        starts, start = [], 0
        for _ in range(self._depth):
            start = path.find(b"/", start) + 1
            if not start:
                break
            starts.append(start)
        for start in reversed(starts):
            if frame := self._by_folder.get(path[:start]):
                yield frame, start
        yield from ((frame, 0) for frame in self._after)

    def _take(self, states: States, values: dict[bytes, Value]) -> None:
        """What one line says, from its end; what was said before stays. A macro that becomes true says its own, there and then."""
        waiting = list(states)
        while waiting:
            name, value = waiting.pop()
            if name not in values:
                values[name] = value
                if value is True and name in self._macros:
                    more = self._concerning(self._macros[name])
                    self._work.spend(len(more))
                    waiting += more


def _is_attributes(path: bytes) -> bool:
    return path == ATTRIBUTES or path.endswith(b"/" + ATTRIBUTES)


def _macros(files: Sequence[Iterable[Line]]) -> dict[bytes, States]:
    """What each macro sets: the most important file's last definition."""
    found: dict[bytes, States] = {}
    for lines in reversed(files):
        found.update((line.pattern, line.states) for line in lines if line.is_macro)
    return found


def _reaching(attribute: bytes, macros: Mapping[bytes, States]) -> set[bytes]:
    """The attribute, and the macros that may set it, by way of others too."""
    users: dict[bytes, list[bytes]] = {}
    for macro, states in macros.items():
        for name, _ in states:
            users.setdefault(name, []).append(macro)
    reached, waiting = {attribute}, [attribute]
    while waiting:
        for macro in users.get(waiting.pop(), ()):
            if macro not in reached:
                reached.add(macro)
                waiting.append(macro)
    return reached
