"""Tensors that a pickle of torch.save speaks of, and where each lies in its storage (docs/format.md, section 2.3).

Nothing is imported or called: the few names that make tensors are known here by their text.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from git_lepton.format.layout import Doubt, tensor
from git_lepton.format.layouts.pickle_scan import Scanner
from git_lepton.format.layouts.pickle_values import UNKNOWN, Global, Node
from git_lepton.format.layouts.value_paths import path_of_each

if TYPE_CHECKING:
    from git_lepton.format.layout import Region
    from git_lepton.format.layouts.pickle_values import Value

MAX_PICKLE_BYTES = 64 * 1024 * 1024
MAX_BETWEEN_BYTES = MAX_PICKLE_BYTES + 4 * 1024 * 1024  # before a storage's header: the pickle, or small storages
SMALL_BYTES = 512  # a smaller storage stays among the bytes around it: chunks of its own would cost more than they save
MAX_RANK = 64
_MAX_SIZE = 2**63 - 1


class _Kind(NamedTuple):
    """The dtype that elements are coded as, and the bytes that one has in a storage."""

    element: str
    width: int


_DTYPES: dict[bytes, _Kind] = {
    b"float64": _Kind("F64", 8),
    b"float32": _Kind("F32", 4),
    b"float16": _Kind("F16", 2),
    b"bfloat16": _Kind("BF16", 2),
    b"complex128": _Kind("F64", 16),  # two of them
    b"complex64": _Kind("C64", 8),
    b"complex32": _Kind("F16", 4),
    b"int64": _Kind("I64", 8),
    b"int32": _Kind("I32", 4),
    b"int16": _Kind("I16", 2),
    b"int8": _Kind("I8", 1),
    b"uint64": _Kind("U64", 8),
    b"uint32": _Kind("U32", 4),
    b"uint16": _Kind("U16", 2),
    b"uint8": _Kind("U8", 1),
    b"bool": _Kind("BOOL", 1),
    b"float8_e4m3fn": _Kind("F8_E4M3", 1),
    b"float8_e5m2": _Kind("F8_E5M2", 1),
    b"float8_e4m3fnuz": _Kind("F8_E4M3FNUZ", 1),
    b"float8_e5m2fnuz": _Kind("F8_E5M2FNUZ", 1),
    b"float8_e8m0fnu": _Kind("F8_E8M0", 1),
    b"float4_e2m1fn_x2": _Kind("F4", 1),
}
_STORAGES: dict[bytes, _Kind] = {
    b"DoubleStorage": _DTYPES[b"float64"],
    b"FloatStorage": _DTYPES[b"float32"],
    b"HalfStorage": _DTYPES[b"float16"],
    b"BFloat16Storage": _DTYPES[b"bfloat16"],
    b"ComplexDoubleStorage": _DTYPES[b"complex128"],
    b"ComplexFloatStorage": _DTYPES[b"complex64"],
    b"LongStorage": _DTYPES[b"int64"],
    b"IntStorage": _DTYPES[b"int32"],
    b"ShortStorage": _DTYPES[b"int16"],
    b"CharStorage": _DTYPES[b"int8"],
    b"ByteStorage": _DTYPES[b"uint8"],
    b"BoolStorage": _DTYPES[b"bool"],
    b"QInt32Storage": _DTYPES[b"int32"],
    b"QInt8Storage": _DTYPES[b"int8"],
    b"QUInt8Storage": _DTYPES[b"uint8"],
    b"QUInt4x2Storage": _DTYPES[b"uint8"],
    b"QUInt2x4Storage": _DTYPES[b"uint8"],
    b"UntypedStorage": _DTYPES[b"uint8"],
}
_STORAGE_MODULES = (b"torch", b"torch.storage")
_UTILS = b"torch._utils"
_OF_STORAGE = (b"_rebuild_tensor", b"_rebuild_tensor_v2", b"_rebuild_qtensor")  # storage, offset, shape, strides, ...
_OF_STORAGE_AND_DTYPE = b"_rebuild_tensor_v3"  # the same; the dtype is the seventh
_OF_TENSOR = (b"_rebuild_parameter", b"_rebuild_parameter_with_state")
_OF_FUNCTION = Global(b"torch._tensor", b"_rebuild_from_type_v2")  # function, type, arguments, state
_DICTS = (Global(b"collections", b"OrderedDict"), Global(b"collections", b"defaultdict"))


class Storage(NamedTuple):
    """Bytes that tensors share: its key in the file, the dtype it was made for and how many bytes it has."""

    key: str
    kind: _Kind
    length: int


class Tensor:
    """Where a tensor lies: from byte `begin` to `end` of its storage, dense, with `shape` in the order of memory."""

    __slots__ = ("begin", "end", "kind", "name", "shape", "storage")

    def __init__(self, storage: Storage, begin: int, end: int, kind: _Kind, shape: tuple[int, ...]) -> None:
        self.storage, self.begin, self.end, self.kind, self.shape = storage, begin, end, kind, shape
        self.name = ""


class TorchPickle:
    """What one pickle of torch.save says. `scan` once; then `storages` by their keys, in the order of the pickle."""

    def __init__(self) -> None:
        self.storages: dict[str, Storage] = {}
        self._tensors: dict[str, list[Tensor]] = {}

    def scan(self, data: memoryview, start: int = 0) -> int:
        """Follow the pickle that begins at `start`; gives where it ends. Raises Doubt, or CutShort."""
        value, end = Scanner(self._storage, self._called).scan(data, start)
        for path, found in path_of_each(value, Tensor):
            found.name = found.name or path
        return end

    def regions(self, storage: Storage) -> Iterator[Region]:
        """A storage's regions, in order: its tensors where these lie beside each other, and what is between them."""
        position = 0
        for found in _disjoint(self._tensors.get(storage.key, [])):
            if found.begin > position:
                yield tensor(found.begin - position, storage.kind.element)
            yield tensor(found.end - found.begin, found.kind.element, found.name, found.shape)
            position = found.end
        if position < storage.length:
            yield tensor(storage.length - position, storage.kind.element)

    def _storage(self, identity: Value) -> Value:
        """The storage of a persistent id: ("storage", type, key, location, number of elements), and None in old files."""
        if type(identity) is not tuple or len(identity) not in (5, 6) or identity[0] != b"storage":
            raise Doubt
        if len(identity) == 6 and identity[5] is not None:
            raise Doubt
        kind, key, numel = _kind_of_storage(identity[1]), identity[2], identity[4]
        if kind is None or not isinstance(key, bytes) or type(numel) is not int or not 0 <= numel * kind.width <= _MAX_SIZE:
            raise Doubt
        storage = Storage(key.decode("utf-8", "backslashreplace"), kind, numel * kind.width)
        known = self.storages.setdefault(storage.key, storage)
        if known.length != storage.length:
            raise Doubt
        return storage

    def _called(self, function: Global, arguments: tuple[Value, ...]) -> Value:
        """The tensor that this call would make; a dict; None for anything else."""
        if function in _DICTS:
            return Node(None, arguments)
        if function == _OF_FUNCTION and len(arguments) == 4:
            inner, _, more, _ = arguments
            if isinstance(inner, Global) and inner != _OF_FUNCTION and type(more) is tuple:
                return self._called(inner, more)
        if function.module == _UTILS and function.name in _OF_TENSOR and arguments and isinstance(arguments[0], Tensor):
            return arguments[0]
        return self._tensor(function, arguments) if function.module == _UTILS else None

    def _tensor(self, function: Global, arguments: tuple[Value, ...]) -> Value:
        if len(arguments) < 4 or not isinstance(arguments[0], Storage):
            return None
        storage, kind = arguments[0], arguments[0].kind
        if function.name == _OF_STORAGE_AND_DTYPE:
            known = _kind_of_dtype(arguments[6]) if len(arguments) > 6 else None
            if known is None:
                return UNKNOWN
            kind = known
        elif function.name not in _OF_STORAGE:
            return None
        found = _placed(storage, kind, arguments[1], arguments[2], arguments[3])
        if found is None:
            return UNKNOWN  # not dense, or not in its storage
        self._tensors.setdefault(storage.key, []).append(found)
        return found


def _kind_of_storage(found: Value) -> _Kind | None:
    return _STORAGES.get(found.name) if isinstance(found, Global) and found.module in _STORAGE_MODULES else None


def _kind_of_dtype(found: Value) -> _Kind | None:
    return _DTYPES.get(found.name) if isinstance(found, Global) and found.module == b"torch" else None


def _placed(storage: Storage, kind: _Kind, offset: Value, shape: Value, strides: Value) -> Tensor | None:
    sizes, steps = _sizes(shape), _sizes(strides)
    if type(offset) is not int or sizes is None or steps is None or len(sizes) != len(steps):
        return None
    count, in_memory = 1, []
    for step, size in sorted(zip(steps, sizes, strict=True)):
        if size != 1 and count and size and step != count:
            return None
        count *= size
        in_memory.append(size)
    shape_in_memory = sizes if _is_contiguous(sizes, steps) else tuple(reversed(in_memory))
    begin, end = offset * kind.width, (offset + count) * kind.width
    return Tensor(storage, begin, end, kind, shape_in_memory) if 0 <= begin < end <= storage.length else None


def _sizes(value: Value) -> tuple[int, ...] | None:
    if type(value) is not tuple or len(value) > MAX_RANK:
        return None
    return value if all(type(size) is int and 0 <= size <= _MAX_SIZE for size in value) else None


def _is_contiguous(sizes: tuple[int, ...], steps: tuple[int, ...]) -> bool:
    count = 1
    for size, step in zip(reversed(sizes), reversed(steps), strict=True):
        if size != 1 and step != count:
            return False
        count *= size
    return True


def _disjoint(tensors: list[Tensor]) -> list[Tensor]:
    """Those of one storage that are no part of another, in order; none if any two of these overlap."""
    kept: list[Tensor] = []
    for found in sorted(tensors, key=lambda one: (one.begin, -one.end)):
        if kept and found.end <= kept[-1].end:
            continue
        if kept and found.begin < kept[-1].end:
            return []
        kept.append(found)
    return kept
