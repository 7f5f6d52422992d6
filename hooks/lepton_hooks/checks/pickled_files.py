"""Pickles in files: bare, packed, in an archive, behind the header of an array. Found by what a file begins with, never unpickled."""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import zipfile
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import IO, Any

from lepton_hooks.checks.pickle_names import Name, Unreadable, names_in

_PACKED: dict[bytes, Callable[[IO[bytes]], Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
_MAX_BYTES = 512 << 20  # of one pickle: those in weight files hold names and shapes, no tensors
_MAX_MEMBERS = 100_000
_TEXTUAL = (".pkl", ".pickle", ".p", ".dill", ".joblib")  # a pickle of protocol 0 begins like any text
_TEXTUAL_HEADS = b"(cI]}lLFSVNK\x8c"


class Pickles:
    """What was found in a file so far: names, and how many pickles."""

    def __init__(self) -> None:
        self.names: list[Name] = []
        self.pickles = 0


def look_into(stream: IO[bytes], name: str, found: Pickles) -> None:
    """Look into a file by what it begins with, whatever it is called. Raises Unreadable."""
    head = stream.read(8)
    stream.seek(0)
    for magic, opened in _PACKED.items():
        if head.startswith(magic):
            with opened(stream) as unpacked:
                _look_at_bytes(_bounded(unpacked), found)
            return
    if head.startswith(b"PK\x03\x04") or zipfile.is_zipfile(stream):
        _look_into_zip(stream, found)
        return
    stream.seek(0)
    if head.startswith(b"\x93NUMPY"):
        _look_at_array(stream, found)
    elif _begins_like_a_pickle(head, name):
        _look_at_bytes(_bounded(stream), found)


def _look_into_zip(stream: IO[bytes], found: Pickles) -> None:
    """Every member that could be a pickle. What the directory does not list, loaders do not read."""
    try:
        with zipfile.ZipFile(stream) as archive:
            members = archive.infolist()
            if len(members) > _MAX_MEMBERS:
                raise Unreadable("it has more members than are looked at")
            for member in members:
                with archive.open(member) as inside:
                    head = inside.read(8)
                    if head.startswith(b"\x93NUMPY"):
                        with archive.open(member) as array:
                            _look_at_array(array, found)
                    elif _begins_like_a_pickle(head, member.filename):
                        if member.file_size > _MAX_BYTES:
                            raise Unreadable(f"{member.filename[:100]} is larger than what is followed")
                        _look_at_bytes(head + inside.read(_MAX_BYTES), found)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise Unreadable(f"its archive cannot be read: {error}"[:200]) from error


def _look_at_array(stream: IO[bytes], found: Pickles) -> None:
    """An array of objects is a pickle behind its header; any other holds none."""
    head = stream.read(12)
    wide = head[6:7] >= b"\x02"
    length = int.from_bytes(head[8:12] if wide else head[8:10], "little")
    header = (b"" if wide else head[10:]) + stream.read(min(length, 1 << 20))
    if re.search(rb"'descr':\s*'[|<>=]?O", header) or b"'O'" in header:
        _look_at_bytes(header[length:] + stream.read(_MAX_BYTES), found)


def _look_at_bytes(data: bytes, found: Pickles) -> None:
    """All pickles that follow each other; what comes behind them is data, which is not unpickled."""
    position = 0
    while position < len(data) and (position == 0 or data[position : position + 1] == b"\x80"):
        try:
            names, length = names_in(memoryview(data)[position:])
        except Unreadable:
            if position:
                return
            raise
        found.names += names
        found.pickles += 1
        position += length


def _begins_like_a_pickle(head: bytes, name: str) -> bool:
    if head[:1] == b"\x80" and head[1:2] <= b"\x05":
        return True
    return (
        bool(head)
        and PurePosixPath(name).suffix.lower() in (".pkl", ".pickle", ".p", ".dill", ".joblib")
        and head[:1] in b"(cI]}lLFSVNK\x8c"
    )


def _bounded(stream: IO[bytes]) -> bytes:
    try:
        data = stream.read(_MAX_BYTES + 1)
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise Unreadable(f"it cannot be unpacked: {error}"[:200]) from error
    return data[:_MAX_BYTES]
