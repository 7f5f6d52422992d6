"""The check of a push's weights: every weight file that it brings is a pointer to weights that are stored, verified and linked here.

By look-up only: no blob longer than a pointer is ever read, attribute files apart.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from enum import Enum

from git_lepton.format.attributes.work import Work
from git_lepton.format.pointer import (
    MAX_POINTER_BYTES,
    POINTER_SIZES,
    BadPointer,
    NotAPointer,
    Pointer,
    UnknownPointerVersion,
    parse_pointer,
)
from lepton_server.git.blobs import blob_contents, blob_sizes
from lepton_server.git.program import Git
from lepton_server.git.pushed_files import AttributeFiles, AttributeReader, PushedFile, brought_files
from lepton_server.git_bounds import UNBOUNDED, Bounds
from lepton_server.wording import printable

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


class Findings:
    """What is wrong with a push: how many files in all, and the first few of them by kind."""

    def __init__(self) -> None:
        self.total = 0
        self.named: dict[Wrong, list[str]] = {}
        self._seen: set[tuple[bytes, str]] = set()

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


def check_push(
    git: Git, tips: Iterable[str], stored_sizes: StoredSizes, work: Work | None = None, bounds: Bounds = UNBOUNDED
) -> Findings:
    """Look at every file that these tips (object names) bring: at lepton paths it must be a pointer (or empty), and what is a
    pointer, at whatever path, must name what is stored. Attributes may say something else in somebody's work tree.

    `git` sees the push's quarantine. `work` bounds what attribute files may cost. Raises TooManyPaths or TooMuchWork, and GitFailed or
    UnsoundObject if the answer cannot be found out: then nothing may land.
    """
    findings = Findings()
    judge = _Judge(git, stored_sizes, findings)
    reader = AttributeReader(git, work)
    for attributes, files in _in_batches(brought_files(git, tips, bounds)):
        lepton = reader.lepton_paths(attributes, dict.fromkeys(file.path for file in files))
        judge.look_at(files, lepton)
    return findings


def _in_batches(groups: Iterable[tuple[AttributeFiles, list[PushedFile]]]) -> Iterator[tuple[AttributeFiles, list[PushedFile]]]:
    """The files in larger groups: as many together as share their attribute files, at most `_BATCH_FILES` and one commit's rest."""
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


class _Judge:
    """Looks at files and notes what is wrong; knows what it has seen at lepton paths, and pointers anywhere."""

    def __init__(self, git: Git, stored_sizes: StoredSizes, findings: Findings) -> None:
        self._git, self._stored_sizes, self._findings = git, stored_sizes, findings
        self._verdicts: dict[str, Pointer | Wrong | None] = {}  # blobs at lepton paths
        self._strays: dict[str, Pointer] = {}  # pointers at other paths; ordinary files are too many to be remembered

    def look_at(self, files: Sequence[PushedFile], lepton: Collection[bytes]) -> None:
        """`lepton`: the paths, among those of the files, that have filter=lepton."""
        ours = [file for file in files if file.path in lepton]
        others = [file for file in files if file.path not in lepton]
        self._verdicts.update(self._read({file.blob for file in ours} - self._verdicts.keys()))
        self._strays.update(self._pointers_among({file.blob for file in others} - self._strays.keys()))
        found = [(file, self._verdicts[file.blob]) for file in ours]
        found += [(file, self._strays[file.blob]) for file in others if file.blob in self._strays]
        pointers = {verdict.oid.raw for _, verdict in found if isinstance(verdict, Pointer)}
        sizes = dict(self._stored_sizes(pointers)) if pointers else {}
        for file, verdict in found:
            if isinstance(verdict, Wrong):
                self._findings.add(verdict, file, "")
            elif verdict and sizes.get(verdict.oid.raw) != verdict.size:
                wrong = Wrong.SIZE if verdict.oid.raw in sizes else Wrong.MISSING
                self._findings.add(wrong, file, f", oid {verdict.oid}")

    def _read(self, blobs: set[str]) -> Iterator[tuple[str, Pointer | Wrong | None]]:
        """What each blob is: a pointer, something wrong, or None for an empty file. Reads none longer than a pointer."""
        for sizes in self._sizes(blobs):
            contents = blob_contents(self._git, [blob for blob, size in sizes.items() if 0 < size <= MAX_POINTER_BYTES])
            for blob, size in sizes.items():
                yield blob, _verdict(contents[blob]) if blob in contents else Wrong.RAW if size else None

    def _pointers_among(self, blobs: set[str]) -> Iterator[tuple[str, Pointer]]:
        for sizes in self._sizes(blobs):
            contents = blob_contents(self._git, [blob for blob, size in sizes.items() if size in POINTER_SIZES])
            for blob, content in contents.items():
                if isinstance(verdict := _verdict(content), Pointer):
                    yield blob, verdict

    def _sizes(self, blobs: set[str]) -> Iterator[dict[str, int]]:
        names = sorted(blobs)
        for start in range(0, len(names), _BATCH_FILES):
            yield blob_sizes(self._git, names[start : start + _BATCH_FILES])


def _verdict(content: bytes) -> Pointer | Wrong:
    try:
        return parse_pointer(content)
    except NotAPointer:
        return Wrong.RAW
    except BadPointer:
        return Wrong.DAMAGED
    except UnknownPointerVersion:
        return Wrong.VERSION
