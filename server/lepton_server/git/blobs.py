"""Sizes and bytes of blobs that a push brings, read with one run of git each."""

from __future__ import annotations

from collections.abc import Sequence

from git_lepton.errors import CorruptData
from lepton_server.git.program import Git


class UnsoundObject(CorruptData):
    """A push brings something that git itself would not make."""


def blob_sizes(git: Git, blobs: Sequence[str]) -> dict[str, int]:
    """Size in bytes of each blob. Raises UnsoundObject for one that is absent or none."""
    answers = git.run("cat-file", "--batch-check", stdin=_lines(blobs)).decode().splitlines() if blobs else []
    rows = [answer.split(" ") for answer in answers]
    if [row[0] for row in rows] != list(blobs) or any(len(row) != 3 or row[1] != "blob" for row in rows):
        raise UnsoundObject("a commit of this push names a file that is not there")
    return {row[0]: int(row[2]) for row in rows}


def blob_contents(git: Git, blobs: Sequence[str]) -> dict[str, bytes]:
    """The bytes of blobs that are there and, as the caller knows, small enough."""
    output = git.run("cat-file", "--batch", stdin=_lines(blobs)) if blobs else b""
    contents, position = {}, 0
    for blob in blobs:
        head_end = output.index(b"\n", position)
        size = int(output[position:head_end].split(b" ")[2])
        contents[blob] = output[head_end + 1 : head_end + 1 + size]
        position = head_end + 1 + size + 1
    return contents


def _lines(names: Sequence[str]) -> bytes:
    return "".join(f"{name}\n" for name in names).encode()
