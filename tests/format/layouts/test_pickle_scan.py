from __future__ import annotations

import collections
import pickle
import time
import tracemalloc
from typing import Any

import pytest

from git_lepton.format.layout import Doubt
from git_lepton.format.layouts import pickle_scan
from git_lepton.format.layouts.pickle_scan import CutShort, Scanner
from git_lepton.format.layouts.pickle_values import UNKNOWN, Global, Node, Value
from git_lepton.format.layouts.value_paths import path_of_each


class Mark:
    """What the tests look for in a value."""


class Thing:
    def __init__(self, **state: Any) -> None:
        self.__dict__ = state


def scan(data: bytes) -> Value:
    value, end = scan_at(data)
    assert end == len(data)
    return value


def scan_at(data: bytes, start: int = 0) -> tuple[Value, int]:
    return Scanner(lambda identity: Mark(), lambda function, arguments: None).scan(memoryview(data), start)


def plain(value: Value) -> Any:
    """A value with its nodes as dicts."""
    if isinstance(value, Node):
        return {key: plain(part) for key, part in zip(value.pairs[::2], value.pairs[1::2], strict=True)}
    if isinstance(value, list):
        return [plain(part) for part in value]
    return tuple(plain(part) for part in value) if type(value) is tuple else value


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_plain_values(protocol: int) -> None:
    value: dict[str, Any] = {
        "a": [1, 256, 65536, -1, 2**40, -(2**60)],
        "ü": (True, False, None),
        "t": ("x", "y", "z", ("w",)),
        "e": ((), [], {}),
    }
    want = {b"a": [1, 256, 65536, -1, 2**40, -(2**60)], "ü".encode(): (True, False, None)}
    assert plain(scan(pickle.dumps(value, protocol))) == {
        **want,
        b"t": (b"x", b"y", b"z", (b"w",)),
        b"e": ((), [], {}),
    }


def test_values_that_are_not_kept() -> None:
    value = [0.5, b"bytes" * 100, "x" * 1025, 2**90, bytearray(300)]
    assert scan(pickle.dumps(value, 5)) == [UNKNOWN] * 5
    assert plain(scan(pickle.dumps(frozenset([1]), 4))) == [1]
    assert plain(scan(pickle.dumps({1}, 4))) == [1]


def test_what_was_said_before_is_the_same_value() -> None:
    shared: list[Any] = [1]
    shared.append(shared)
    found = scan(pickle.dumps([shared, shared], 4))
    assert isinstance(found, list) and found[0] is found[1] and found[0][1] is found[0]


def test_objects_are_nodes() -> None:
    found = scan(pickle.dumps(Thing(a=1), 4))
    assert isinstance(found, Node) and found.function == Global(__name__.encode(), b"Thing") and plain(found.state) == {b"a": 1}
    counted = scan(pickle.dumps(collections.Counter("aab"), 2))
    assert isinstance(counted, Node) and counted.function == Global(b"collections", b"Counter")
    assert plain(scan(pickle.dumps(collections.OrderedDict(a=1), 4))) == {b"a": 1}


def test_it_says_where_a_pickle_ends() -> None:
    data = pickle.dumps([1], 2)
    assert scan_at(b"xyz" + data + b"more", 3) == ([1], 3 + len(data))
    for length in range(len(data)):
        with pytest.raises(CutShort):
            scan(data[:length])


@pytest.mark.parametrize(
    "data",
    [
        *(b".", b"0.", b"2.", b"(0.", b"t.", b"u.", b"s.", b"a.", b"b.", b"R.", b"Q.", b"\x93.", b"\x85.", b"q\x00."),
        *(b"h\x00.", b"Nq\x05.", b"N(.", b"K\x01K\x02s.", b"NK\x01a.", b"](K\x01u.", b"}(K\x01u.", b"K\x01K\x02\x93."),
        *(b"\x97.", b"\x98.", b"\x82\x01.", b"I1\n.", b"S'a'\n.", b"P1\n.", b"(c\n.", b"iposix\nsystem\n.", b"\xff."),
        b"c" + b"x" * 600 + b"\nname\n.",
    ],
)
def test_what_no_pickler_writes_or_we_do_not_follow_is_doubt(data: bytes) -> None:
    with pytest.raises(Doubt):
        scan(data)


SCALE = 16  # the limits are set that much lower: tracemalloc is slow


@pytest.mark.parametrize(
    "bomb",
    [
        b"]" * 300_000,
        b"(" * 300_000,
        b"}" * 300_000,
        b"N" * 300_000,
        b"(" + b"]" * 25_000 + b"t" + b"\x85" * 7_000 + b".",
        b"]q\x00" + b"h\x00\x85" * 20_000 + b".",
        b"J\xff\xff\xff\x00" * 130_000,
        b"X\x02\x00\x00\x00ab" * 130_000,
        b"X\x00\x04\x00\x00" + b"a" * 1024 + b"2" * 200_000,
        b"\x8b\xff\xff\xff\x7f",
        b"\x8b\x00\x00\x00\x01" + b"\x7f" * 2**24 + b".",
        b"\x8e" + b"\xff" * 8,
        b"N" + b"".join(b"r" + number.to_bytes(4, "little") for number in range(100_000)),
        b"}" + b"".join(b"J" + number.to_bytes(4, "little") + b"Ns" for number in range(1000, 40_000)),
        b"c" + b"a" * 500 + b"\nb\n)R" * 10_000,
    ],
    ids=[
        "lists",
        "marks",
        "dicts",
        "nones",
        "deep",
        "memo",
        "ints",
        "texts",
        "dup",
        "long",
        "digits",
        "bytes",
        "puts",
        "sets",
        "calls",
    ],
)
def test_a_bomb_costs_little_memory(bomb: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickle_scan, "MAX_OPCODES", pickle_scan.MAX_OPCODES // SCALE)
    monkeypatch.setattr(pickle_scan, "MAX_VALUES", pickle_scan.MAX_VALUES // SCALE)
    tracemalloc.start()
    try:
        _, end = scan_at(bomb)
    except Doubt:
        end = 0
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert end in (0, len(bomb))
    assert peak < 80_000_000 // SCALE


def test_time_is_bounded_by_the_number_of_opcodes() -> None:
    data = b"N0" * (pickle_scan.MAX_OPCODES // 2) + b"N."
    started = time.process_time()
    with pytest.raises(Doubt):
        scan(data)
    assert time.process_time() - started < 15


# the way to a value


def paths(value: Value) -> list[str]:
    return [path for path, _ in path_of_each(value, Mark)]


def test_the_way_to_each() -> None:
    root, inner = Node(), Node()
    inner.pairs = [b"exp_avg", Mark(), 0, [Mark(), (Mark(),)]]
    root.pairs = [b"model", Mark(), b"state", inner, (b"odd",), Mark()]
    assert paths(root) == ["model", "state.exp_avg", "state.0.0", "state.0.1.0", "?"]


def test_modules_are_named_as_in_their_state_dict() -> None:
    layer, model = Node(Global(b"torch", b"Linear")), Node(Global(b"m", b"Model"))
    layer.state, parameters, model.state, modules = Node(), Node(), Node(), Node()
    parameters.pairs = [b"weight", Mark()]
    layer.state.pairs = [b"_parameters", parameters]
    modules.pairs = [b"layer", layer]
    model.state.pairs = [b"_modules", modules]
    assert paths(model) == ["layer.weight"]


def test_cycles_depth_and_long_names_have_an_end() -> None:
    loop: list[Value] = [Mark()]
    loop += [loop, loop]
    assert paths(loop) == ["0"]
    deep: Value = Mark()
    for _ in range(100_000):
        deep = (deep, deep)
    assert paths(deep) == []
    named = Mark()
    nested: Value = named
    for _ in range(10):
        node = Node()
        node.pairs = [b"k" * 1000, nested]
        nested = node
    assert paths(nested) == []
