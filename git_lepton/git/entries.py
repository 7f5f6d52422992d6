"""Entries that a look into a repository finds: files of its index, and small blobs."""

from __future__ import annotations


class IndexEntry:
    """One tracked file: its mode ("100644"), its blob, whether a sparse checkout leaves it out of the work tree (`skipped`), and
    whether git compares it with the work tree at all (`watched`)."""

    __slots__ = ("blob", "mode", "path", "skipped", "watched")

    def __init__(self, path: str, mode: str, blob: str, tag: str) -> None:
        self.path, self.mode, self.blob = path, mode, blob
        self.skipped, self.watched = tag in "Ss", tag == "H"


class SmallBlob:
    """A blob of at most SMALL bytes, whole, and a path where it stands."""

    __slots__ = ("blob", "data", "path")

    def __init__(self, path: str, blob: str, data: bytes) -> None:
        self.path, self.blob, self.data = path, blob, data
