"""Whether a push may land: every weight file that it brings is a pointer to weights that are stored, verified and linked here.

By look-up only: trees and attribute files are git's own work, and no blob longer than a pointer is ever read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

from git_lepton.format.pointer import (
    MAX_POINTER_BYTES,
    BadPointer,
    NotAPointer,
    Pointer,
    UnknownPointerVersion,
    parse_pointer,
)
from lepton_server.git_program import Git
from lepton_server.pointer_paths import AttributeFiles, AttributeReader, PushedFile, UnsoundObject, brought_files

StoredSizes = Callable[[Iterable[bytes]], Mapping[bytes, int]]
"""Of these oids (32 raw bytes): size in bytes of each that is stored, verified and linked in the repository of the push."""

MAX_NAMED = 10
_BATCH_FILES = 10_000


class Wrong(Enum):
    """What can be wrong with a weight file of a push: what git shows the user, and what to do."""

    MISSING = (
        "The weights that these pointers name are not stored in this repository:",
        "Run `git lepton push origin` (or the name of this remote), then push again.",
    )
    RAW = (
        "These files have filter=lepton, so git must hold a pointer, and it holds their bytes:",
        "Run `git lepton install`, `git add --renormalize . && git commit --amend` (older commits: `git rebase -i`), push again.",
    )
    SIZE = (
        "These pointers have another size than the weights they name:",
        "Add the weight files again: `git add --renormalize . && git commit --amend`, then push again.",
    )
    DAMAGED = (
        "These pointers are damaged:",
        "Add the weight files again: `git add --renormalize . && git commit --amend`, then push again.",
    )
    VERSION = (
        "These pointers have a version that this server does not know:",
        "Ask whoever runs the server for a newer lepton-server, or add the files with an older git-lepton.",
    )


@dataclass
class Findings:
    """What is wrong with a push: how many files in all, and the first few of them by kind."""

    total: int = 0
    named: dict[Wrong, list[str]] = field(default_factory=dict)
    _seen: set[tuple[bytes, str]] = field(default_factory=set)

    def add(self, wrong: Wrong, file: PushedFile, detail: str) -> None:
        if (file.path, file.blob) in self._seen:  # many commits have it: the first is the one to mend
            return
        self._seen.add((file.path, file.blob))
        self.total += 1
        if self.total <= MAX_NAMED:
            self.named.setdefault(wrong, []).append(f"  {printable(file.path)}  ({file.commit[:12]}{detail})")

    def text(self) -> str:
        """What the person who pushes reads; empty if nothing is wrong."""
        if not self.total:
            return ""
        files = "1 file is not as it must be" if self.total == 1 else f"{self.total} files are not as they must be"
        lines = [f"lepton: this push was refused, {files}. No ref has moved, nothing was kept."]
        for wrong, places in self.named.items():
            sentence, remedy = wrong.value
            lines += ["", sentence, *places, remedy]
        if self.total > MAX_NAMED:
            lines += ["", f"... and {self.total - MAX_NAMED} more."]
        return "\n".join(lines) + "\n"


def printable(path: bytes) -> str:
    """A path that is safe on a terminal."""
    text = path.decode("utf-8", "backslashreplace")
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def check_push(git: Git, tips: Iterable[str], stored_sizes: StoredSizes) -> Findings:
    """Look at every file that these tips (object names) bring to lepton paths.

    `git` sees the push's quarantine. Raises GitFailed or UnsoundObject if the answer cannot be found out: then nothing may land.
    """
    findings = Findings()
    verdicts: dict[str, Pointer | Wrong | None] = {}
    with AttributeReader(git) as reader:
        for attributes, files in _in_batches(brought_files(git, tips)):
            lepton = reader.lepton_paths(attributes, list(dict.fromkeys(file.path for file in files)))
            _judge(git, [file for file in files if file.path in lepton], verdicts, stored_sizes, findings)
    return findings


def _in_batches(groups: Iterable[tuple[AttributeFiles, list[PushedFile]]]) -> Iterator[tuple[AttributeFiles, list[PushedFile]]]:
    """The same files, as many together as share their attribute files, at most `_BATCH_FILES` and one commit's rest."""
    attributes: AttributeFiles = {}
    waiting: list[PushedFile] = []
    for these, files in groups:
        if waiting and (these != attributes or len(waiting) >= _BATCH_FILES):
            yield attributes, waiting
            waiting = []
        attributes = these
        waiting.extend(files)
    if waiting:
        yield attributes, waiting


def _judge(
    git: Git,
    files: list[PushedFile],
    verdicts: dict[str, Pointer | Wrong | None],
    stored_sizes: StoredSizes,
    findings: Findings,
) -> None:
    unknown = {file.blob for file in files} - verdicts.keys()
    verdicts.update(_read_blobs(git, unknown))
    pointers = {verdict.oid.raw for file in files if isinstance(verdict := verdicts[file.blob], Pointer)}
    sizes = dict(stored_sizes(pointers)) if pointers else {}
    for file in files:
        verdict = verdicts[file.blob]
        if isinstance(verdict, Wrong):
            findings.add(verdict, file, "")
        elif isinstance(verdict, Pointer) and sizes.get(verdict.oid.raw) != verdict.size:
            wrong = Wrong.SIZE if verdict.oid.raw in sizes else Wrong.MISSING
            findings.add(wrong, file, f", oid {verdict.oid}")


def _read_blobs(git: Git, blobs: set[str]) -> Iterator[tuple[str, Pointer | Wrong | None]]:
    """For each blob what it is: a pointer, something wrong, or None for an empty file. Reads no blob longer than a pointer."""
    names = sorted(blobs)
    for start in range(0, len(names), _BATCH_FILES):
        sizes = _blob_sizes(git, names[start : start + _BATCH_FILES])
        contents = _contents(git, [blob for blob, size in sizes.items() if 0 < size <= MAX_POINTER_BYTES])
        for blob, size in sizes.items():
            yield blob, _verdict(contents[blob]) if blob in contents else Wrong.RAW if size else None


def _verdict(content: bytes) -> Pointer | Wrong:
    try:
        return parse_pointer(content)
    except NotAPointer:
        return Wrong.RAW
    except BadPointer:
        return Wrong.DAMAGED
    except UnknownPointerVersion:
        return Wrong.VERSION


def _blob_sizes(git: Git, blobs: list[str]) -> dict[str, int]:
    answers = git.run("cat-file", "--batch-check", stdin=_lines(blobs)).decode().splitlines()
    rows = [answer.split(" ") for answer in answers]
    if [row[0] for row in rows] != blobs or any(len(row) != 3 or row[1] != "blob" for row in rows):
        raise UnsoundObject("a commit of this push names a file that is not there")
    return {row[0]: int(row[2]) for row in rows}


def _contents(git: Git, blobs: list[str]) -> dict[str, bytes]:
    output = git.run("cat-file", "--batch", stdin=_lines(blobs)) if blobs else b""
    contents, position = {}, 0
    for blob in blobs:
        head_end = output.index(b"\n", position)
        size = int(output[position:head_end].split(b" ")[2])
        contents[blob] = output[head_end + 1 : head_end + 1 + size]
        position = head_end + 1 + size + 1
    return contents


def _lines(names: list[str]) -> bytes:
    return "".join(f"{name}\n" for name in names).encode()
