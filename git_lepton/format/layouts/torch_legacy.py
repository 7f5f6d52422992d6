"""The layout of a file of torch.save as it was before version 1.6: pickles, then the storages (docs/format.md, section 2.3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from git_lepton.format.layout import Doubt, Region
from git_lepton.format.layouts.pickle_scan import CutShort, Scanner
from git_lepton.format.layouts.pickle_values import Node
from git_lepton.format.layouts.torch_tensors import MAX_BETWEEN_BYTES, MAX_PICKLE_BYTES, SMALL_BYTES, TorchPickle

if TYPE_CHECKING:
    from git_lepton.format.layout import Ahead
    from git_lepton.format.layouts.pickle_values import Value

_HEAD = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19." + b"\x80\x02M\xe9\x03."  # magic number and protocol 1001, each pickled
_COUNT_BYTES = 8  # before a storage: the number of its elements
_LITTLE_ENDIAN = b"little_endian"


def regions(ahead: Ahead) -> Iterator[Region]:
    """The pickles, and the storages with what is between them; nothing for a file that is no such file."""
    if bytes(ahead.peek(len(_HEAD))) != _HEAD:
        return
    pickle, keys, between = _pickles(ahead)
    for key in keys:
        storage = pickle.storages.pop(key, None)
        count = bytes(ahead.peek(between + _COUNT_BYTES)[between:])
        if (
            storage is None
            or between > MAX_BETWEEN_BYTES
            or int.from_bytes(count, "little") * storage.kind.width != storage.length
        ):
            raise Doubt
        between += _COUNT_BYTES
        if storage.length < SMALL_BYTES:
            between += storage.length
        else:
            yield Region(between)
            yield from pickle.regions(storage)
            between = 0


def _pickles(ahead: Ahead) -> tuple[TorchPickle, list[str], int]:
    """What the pickles at the beginning say, the keys of the storages in the order of the file, and where the first begins."""
    window = 64 * 1024
    while True:
        data = ahead.peek(window)
        try:
            return _read(data)
        except CutShort:
            if len(data) < window or window >= MAX_PICKLE_BYTES:
                raise
        window *= 4


def _read(data: memoryview) -> tuple[TorchPickle, list[str], int]:
    system, end = Scanner(_refuse, _nothing).scan(data, len(_HEAD))
    pairs = system.pairs if isinstance(system, Node) else []
    if not any(key == _LITTLE_ENDIAN and value is True for key, value in zip(pairs[::2], pairs[1::2], strict=True)):
        raise Doubt
    pickle = TorchPickle()
    end = pickle.scan(data, end)
    keys, end = Scanner(_refuse, _nothing).scan(data, end)
    if not isinstance(keys, list) or not all(isinstance(key, bytes) for key in keys):
        raise Doubt
    return pickle, [key.decode("utf-8", "backslashreplace") for key in keys], end


def _refuse(_identity: Value) -> Value:
    raise Doubt


def _nothing(_function: Value, _arguments: Value) -> Value:
    return None
