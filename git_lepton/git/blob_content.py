"""The content of blobs, however large, in pieces: of one after the other, over one git process."""

from __future__ import annotations

from git_lepton.errors import CorruptData
from git_lepton.git.program import git_failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from git_lepton.git.repository import GitRepository

_BLOCK = 1 << 20


class BlobMissing(CorruptData):
    """git lacks a blob that one of its trees, or its index, names."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"git lacks the blob {name}", "git fsck tells what else; git fetch --refetch brings it where a remote has it."
        )


class BlobContent:
    """Reads blobs by their hex names. A context manager."""

    def __init__(self, git: GitRepository) -> None:
        self._process = git.start("cat-file", "--batch")

    def copy(self, name: str, write: Callable[[bytes], object]) -> None:
        """Hand the bytes of a blob to `write`, in order. Raises BlobMissing, GitFailed."""
        asked, answered = self._process.stdin, self._process.stdout
        assert asked is not None
        assert answered is not None
        asked.write(f"{name}\n".encode())
        asked.flush()
        fields = answered.readline().split()
        if fields[1:] == [b"missing"]:
            raise BlobMissing(name)
        left = int(fields[2]) if fields[1:2] == [b"blob"] else -1
        while left > 0 and (data := answered.read(min(left, _BLOCK))):
            write(data)
            left -= len(data)
        if left or answered.read(1) != b"\n":
            raise self._ended()

    def _ended(self) -> Exception:
        said = self._process.stderr.read().decode("utf-8", "replace") if self._process.stderr else ""
        return git_failed(("cat-file", "--batch"), self._process.wait(), said)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream:
                stream.close()
        self._process.wait()
