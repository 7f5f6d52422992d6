"""The scan of a pickle, none of which is executed: what would be imported, called or set stays a name and its arguments.

Numbers, texts and containers become values, everything else a `Node` or UNKNOWN. Whoever scans says what a persistent id and a
call of a name mean to it. Memory is bounded by MAX_VALUES and the pickle's own length, time by MAX_OPCODES.
"""

from __future__ import annotations

from collections.abc import Callable

from git_lepton.format.layout import Doubt
from git_lepton.format.layouts.pickle_values import UNKNOWN, Global, Node, Value

MAX_OPCODES = 2**21
MAX_VALUES = 2**19  # that take memory of their own: some 100 bytes each at most
MAX_TEXT_BYTES = 1024  # of a text that is kept
_MAX_NAME_BYTES = 512  # of a module and of a name in it


class CutShort(Doubt):
    """The bytes end before the pickle does."""


class Scanner:
    """One pickle. `persistent` gives the value of a persistent id, `called` that of a call, or None to have a Node made."""

    def __init__(self, persistent: Callable[[Value], Value], called: Callable[[Global, tuple[Value, ...]], Value]) -> None:
        self._persistent, self._called = persistent, called
        self._stack: list[Value] = []
        self._marks: list[int] = []
        self._memo: list[Value] = []
        self._values = 0
        self._data = memoryview(b"")
        self._position = 0

    def scan(self, data: memoryview, start: int = 0) -> tuple[Value, int]:
        """The pickled value, and where the pickle that begins at `start` ends. Raises Doubt, or CutShort."""
        self._data, self._position = data, start
        for _ in range(MAX_OPCODES):
            opcode = self._number(1)
            if opcode == _STOP:
                return self._pop(), self._position
            action = _ACTIONS.get(opcode)
            if action is None:
                raise Doubt
            action(self)
        raise Doubt

    # the bytes

    def _take(self, count: int) -> memoryview:
        start, self._position = self._position, self._position + count
        if self._position > len(self._data):
            raise CutShort
        return self._data[start : self._position]

    def _number(self, size: int) -> int:
        return int.from_bytes(self._take(size), "little")

    def _line(self) -> bytes:
        ahead = bytes(self._data[self._position : self._position + _MAX_NAME_BYTES])
        line, end, _ = ahead.partition(b"\n")
        if not end:
            raise CutShort if len(ahead) < _MAX_NAME_BYTES else Doubt
        self._position += len(line) + 1
        return line

    # the stack

    def _push(self, value: Value) -> None:
        self._stack.append(value)

    def _make(self, value: Value) -> None:
        """Push a value that takes memory."""
        self._count()
        self._stack.append(value)

    def _count(self, values: int = 1) -> None:
        self._values += values
        if self._values > MAX_VALUES:
            raise Doubt

    def _floor(self) -> int:
        return self._marks[-1] if self._marks else 0

    def _pop(self) -> Value:
        if len(self._stack) <= self._floor():
            raise Doubt
        return self._stack.pop()

    def _top(self) -> Value:
        if len(self._stack) <= self._floor():
            raise Doubt
        return self._stack[-1]

    def _pop_to_mark(self) -> list[Value]:
        if not self._marks:
            raise Doubt
        start = self._marks.pop()
        taken = self._stack[start:]
        del self._stack[start:]
        return taken

    # what opcodes do

    def mark(self) -> None:
        self._count()
        self._marks.append(len(self._stack))

    def dup(self) -> None:
        self._push(self._top())

    def integer(self, size: int) -> None:
        self._int(bytes(self._take(size)), signed=size == 4)

    def long(self, size: int) -> None:
        length = self._number(size)
        data = self._take(length)
        if length > 9:
            self._push(UNKNOWN)
        else:
            self._int(bytes(data), signed=True)

    def _int(self, data: bytes, *, signed: bool) -> None:
        value = int.from_bytes(data, "little", signed=signed)
        self._count(0 <= value <= 256)  # such small ones are shared
        self._push(value)

    def text(self, size: int) -> None:
        data = self._take(self._number(size))
        if len(data) > MAX_TEXT_BYTES:
            self._push(UNKNOWN)
        else:
            self._make(bytes(data))

    def skip(self, size: int) -> None:
        """Bytes, whose value is not kept."""
        self._take(self._number(size))
        self._push(UNKNOWN)

    def number(self, size: int) -> None:
        self._take(size)
        self._push(UNKNOWN)

    def global_(self) -> None:
        module = self._line()
        self._make(Global(module, self._line()))

    def stack_global(self) -> None:
        name, module = self._pop(), self._pop()
        if not isinstance(name, bytes) or not isinstance(module, bytes):
            raise Doubt
        self._make(Global(module, name))

    def tuple_of(self, count: int) -> None:
        taken = [self._pop() for _ in range(count)]
        self._make(tuple(reversed(taken)))

    def append(self) -> None:
        value = self._pop()
        self._extend([value])

    def _extend(self, values: list[Value]) -> None:
        target = self._top()
        if isinstance(target, Node):
            self._count(2 * len(values))
            target.pairs += [part for value in values for part in (UNKNOWN, value)]
        elif isinstance(target, list):
            target += values
        elif target is not UNKNOWN:
            raise Doubt

    def setitem(self) -> None:
        value, key = self._pop(), self._pop()
        self._set([key, value])

    def _set(self, pairs: list[Value]) -> None:
        target = self._top()
        if len(pairs) % 2 or not (isinstance(target, Node) or target is UNKNOWN):
            raise Doubt
        if isinstance(target, Node):
            target.pairs += pairs

    def build(self) -> None:
        state, target = self._pop(), self._top()
        if isinstance(target, Node):
            target.state = state

    def reduce(self) -> None:
        arguments, function = self._pop(), self._pop()
        self._call(function, arguments)

    def reduce_ex(self) -> None:
        self._pop()  # keyword arguments
        self.reduce()

    def _call(self, function: Value, arguments: Value) -> None:
        made: Value = None
        if isinstance(function, Global) and type(arguments) is tuple:
            made = self._called(function, arguments)
        if made is None:
            made = Node(function if isinstance(function, Global) else _NAMELESS, arguments)
        self._make(made)

    def persistent_id(self) -> None:
        self._make(self._persistent(self._pop()))

    def put(self, index: int | None = None) -> None:
        """Remember the top of the stack. Picklers number what they remember from 0 on."""
        index = len(self._memo) if index is None else index
        if index > len(self._memo):
            raise Doubt
        self._memo[index : index + 1] = [self._top()]

    def get(self, index: int) -> None:
        if index >= len(self._memo):
            raise Doubt
        self._push(self._memo[index])


_NAMELESS = Global(b"", b"")
_STOP = ord(".")
_ACTIONS: dict[int, Callable[[Scanner], object]] = {
    0x80: lambda scan: scan._number(1),  # protocol
    0x95: lambda scan: scan._number(8),  # frame
    ord("("): Scanner.mark,
    ord("0"): lambda scan: scan._pop(),
    ord("1"): lambda scan: scan._pop_to_mark(),
    ord("2"): Scanner.dup,
    ord("N"): lambda scan: scan._push(None),
    0x88: lambda scan: scan._push(True),
    0x89: lambda scan: scan._push(False),
    ord("J"): lambda scan: scan.integer(4),
    ord("K"): lambda scan: scan.integer(1),
    ord("M"): lambda scan: scan.integer(2),
    0x8A: lambda scan: scan.long(1),
    0x8B: lambda scan: scan.long(4),
    ord("G"): lambda scan: scan.number(8),  # float
    ord("X"): lambda scan: scan.text(4),
    0x8C: lambda scan: scan.text(1),
    0x8D: lambda scan: scan.text(8),
    ord("U"): lambda scan: scan.text(1),  # of Python 2
    ord("T"): lambda scan: scan.text(4),
    ord("C"): lambda scan: scan.skip(1),
    ord("B"): lambda scan: scan.skip(4),
    0x8E: lambda scan: scan.skip(8),
    0x96: lambda scan: scan.skip(8),  # bytearray
    ord("c"): Scanner.global_,
    0x93: Scanner.stack_global,
    ord(")"): lambda scan: scan._push(()),
    0x85: lambda scan: scan.tuple_of(1),
    0x86: lambda scan: scan.tuple_of(2),
    0x87: lambda scan: scan.tuple_of(3),
    ord("t"): lambda scan: scan._make(tuple(scan._pop_to_mark())),
    ord("]"): lambda scan: scan._make([]),
    ord("a"): Scanner.append,
    ord("e"): lambda scan: scan._extend(scan._pop_to_mark()),
    0x8F: lambda scan: scan._make([]),  # set
    0x90: lambda scan: scan._extend(scan._pop_to_mark()),
    0x91: lambda scan: scan._make(scan._pop_to_mark()),  # frozenset
    ord("}"): lambda scan: scan._make(Node()),
    ord("s"): Scanner.setitem,
    ord("u"): lambda scan: scan._set(scan._pop_to_mark()),
    ord("R"): Scanner.reduce,
    0x81: Scanner.reduce,  # a class instead of a function
    0x92: Scanner.reduce_ex,
    ord("b"): Scanner.build,
    ord("Q"): Scanner.persistent_id,
    ord("q"): lambda scan: scan.put(scan._number(1)),
    ord("r"): lambda scan: scan.put(scan._number(4)),
    0x94: Scanner.put,
    ord("h"): lambda scan: scan.get(scan._number(1)),
    ord("j"): lambda scan: scan.get(scan._number(4)),
}
