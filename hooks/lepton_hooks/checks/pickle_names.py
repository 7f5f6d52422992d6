"""Names in a pickle: everything that unpickling it would import, found without unpickling anything.

The stream is walked with pickletools, which only takes opcodes apart. What each of them does to the stack is known from its
description there, so that a name that is put together from memo and stack (STACK_GLOBAL) is found as well.
"""

from __future__ import annotations

import io
import pickletools
from collections.abc import Iterator
from typing import Any, NamedTuple

_MARK = object()
_UNKNOWN = object()
MAX_OPCODES = 20_000_000
_OF_PYTHON_2 = {"__builtin__": "builtins", "copy_reg": "copyreg"}  # Python 3 maps them when it loads protocols 0 to 2


class Unreadable(Exception):
    """A stream that cannot be followed: no loader should be trusted with it."""


class Name(NamedTuple):
    """A name that a pickle imports; `called`: whether something is done with it that runs code."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


def names_in(data: bytes | memoryview) -> tuple[list[Name], int]:
    """The names of the pickle that these bytes begin with, and its length in bytes. Raises Unreadable."""
    stream = io.BytesIO(data)
    found: dict[Name, None] = {}
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
            if count > MAX_OPCODES:
                raise Unreadable("it has more steps than are followed")
            if opcode.name == "STOP":
                return list(found), stream.tell()
            found.update(dict.fromkeys(_imported(opcode.name, argument, stack)))
            _act(opcode, argument, stack, memo)
    except (ValueError, IndexError, KeyError, UnicodeDecodeError, OverflowError, MemoryError) as error:
        raise Unreadable(str(error)[:200] or type(error).__name__) from error
    raise Unreadable("it does not end")


def _imported(code: str, argument: Any, stack: list[Any]) -> Iterator[Name]:
    if code in ("GLOBAL", "INST"):
        module, _, name = str(argument).partition(" ")
        yield Name(_OF_PYTHON_2.get(module, module), name)
    elif code == "STACK_GLOBAL":
        module, name = stack[-2:]
        if not isinstance(module, str) or not isinstance(name, str):
            raise Unreadable("it imports a name that it makes up while it is loaded")
        yield Name(_OF_PYTHON_2.get(module, module), name)
    elif code in ("EXT1", "EXT2", "EXT4"):
        yield Name("copyreg extension", str(argument))


def _act(opcode: Any, argument: Any, stack: list[Any], memo: dict[int, Any]) -> None:
    """Do to the stack what the opcode does, as far as texts are concerned."""
    code = opcode.name
    if code in ("PUT", "BINPUT", "LONG_BINPUT"):
        memo[int(argument)] = stack[-1]
    elif code == "MEMOIZE":
        memo[len(memo)] = stack[-1]
    elif code in ("GET", "BINGET", "LONG_BINGET"):
        stack.append(memo[int(argument)])
    elif code == "DUP":
        stack.append(stack[-1])
    elif code == "MARK":
        stack.append(_MARK)
    else:
        before, after = opcode.stack_before, opcode.stack_after
        if pickletools.markobject in before:
            while stack.pop() is not _MARK:
                pass
            _drop(stack, before.index(pickletools.markobject))
        else:
            _drop(stack, len(before))
        text = argument if isinstance(argument, str) and after == [pickletools.pyunicode] else _UNKNOWN
        stack.extend([text if text is not _UNKNOWN else _text_of(argument, after)] * len(after))


def _text_of(argument: Any, after: list[Any]) -> Any:
    """A text that was pickled by Python 2, as Python 3 reads it."""
    if len(after) == 1 and isinstance(argument, str):
        return argument
    return _UNKNOWN


def _drop(stack: list[Any], count: int) -> None:
    for _ in range(count):
        if stack.pop() is _MARK:
            raise ValueError("a mark lies where a value should")
