"""Checks that versions can be restored: every pointer sound, its weights here or on the store, no weights inside git itself."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from git_lepton.errors import CheckFailed, CorruptData, LeptonError, WeightsMissing
from git_lepton.format.pointer import NotAPointer, Pointer, parse_pointer
from git_lepton.git.repository import GitRepository, SmallBlob
from git_lepton.store.local_store import LocalStore
from git_lepton.workspace import Workspace


class Kind(StrEnum):
    """What is wrong. Each kind has an exit code (see `Report.exit_code`)."""

    CORRUPT = "corrupt"
    BAD_POINTER = "bad pointer"
    MISSING = "missing"
    RAW = "raw weights in git"
    ATTRIBUTES = "attributes"


_EXIT_CODES = {
    Kind.CORRUPT: CorruptData.exit_code,
    Kind.BAD_POINTER: CorruptData.exit_code,
    Kind.MISSING: WeightsMissing.exit_code,
    Kind.RAW: CheckFailed.exit_code,
    Kind.ATTRIBUTES: CheckFailed.exit_code,
}


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: what kind, where (a path, an oid or a pack), and a sentence."""

    kind: Kind
    subject: str
    message: str


@dataclass
class Report:
    """How many objects were looked at, how many can be restored, and what is wrong."""

    objects: int = 0
    restorable: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """That of the worst finding: corrupt data (7) before missing weights (4) before a failed check (1)."""
        return max((_EXIT_CODES[finding.kind] for finding in self.findings), default=0)


def check(workspace: Workspace, *, all_refs: bool = False, remote: str | None = None, pointers_only: bool = False) -> Report:
    """Look at the pointers of HEAD, or of every commit of every ref.

    `remote` asks that store, by look-up, whether it has every object ("" for the one that git would use); without it every
    object must be restorable from this machine, and everything stored here is read and verified.
    """
    report = Report()
    git = workspace.git
    found = dict(_pointers(git, all_refs, report))
    report.objects = len(found)
    if git.rev_parse("HEAD") is not None:
        report.findings += _raw_weights(git)
        report.findings += _overruled_attributes(git)
    if pointers_only:
        report.restorable = len(found)
    elif remote is not None:
        _ask_remote(workspace, found, remote or None, report)
    else:
        _look_here(workspace.store, found, report)
    return report


def _pointers(git: GitRepository, all_refs: bool, report: Report) -> Iterator[tuple[Pointer, str]]:
    """The pointers in question, each with one of its paths. What claims to be one and is none becomes a finding."""
    for blob in _blobs(git, all_refs):
        try:
            yield parse_pointer(blob.data), blob.path
        except NotAPointer:
            continue  # a small ordinary file
        except LeptonError as error:
            report.findings.append(Finding(Kind.BAD_POINTER, blob.path, error.message))


def _blobs(git: GitRepository, all_refs: bool) -> Iterable[SmallBlob]:
    if all_refs:
        tips = list(dict.fromkeys(git.refs().values()))
        return git.new_small_blobs(tips) if tips else ()
    return git.small_blobs_in_tree("HEAD") if git.rev_parse("HEAD") else ()


def _ask_remote(workspace: Workspace, found: dict[Pointer, str], remote: str | None, report: Report) -> None:
    stored = workspace.stored(list(found), remote)
    lacking = {pointer: path for pointer, path in found.items() if pointer.oid not in stored}
    gone = workspace.taken_away(list(lacking), remote) if lacking else {}
    report.restorable += len(found) - len(lacking)
    for pointer, path in lacking.items():
        why = gone[pointer.oid].message if pointer.oid in gone else f"the store does not have {pointer.oid}"
        report.findings.append(Finding(Kind.MISSING, path, why))


def _look_here(store: LocalStore, found: dict[Pointer, str], report: Report) -> None:
    problems = {problem.subject: problem for problem in store.verify()}
    report.findings += [Finding(Kind.CORRUPT, problem.subject, problem.message) for problem in problems.values()]
    for pointer, path in found.items():
        if _is_restorable(store, pointer, problems.keys()):
            report.restorable += 1
        else:
            report.findings.append(Finding(Kind.MISSING, path, f"{pointer.oid} is not on this machine"))


def _is_restorable(store: LocalStore, pointer: Pointer, damaged: Iterable[str]) -> bool:
    bad = set(damaged)
    try:
        manifest = store.manifest(pointer.oid)
    except CorruptData:
        return False
    if manifest is None or store.missing(entry.chunk for entry in manifest.entries):
        return False
    return not bad or not any(entry.chunk.hex in bad for entry in manifest.entries)


def _raw_weights(git: GitRepository) -> list[Finding]:
    """Files of HEAD at tracked paths whose bytes are in git itself: somebody added them without the filter."""
    sizes = _sizes_in_head(git)
    ours = git.lepton_paths(sizes, "HEAD")
    pointers = {blob.path for blob in git.small_blobs_in_tree("HEAD") if _claims(blob)}
    return [
        Finding(Kind.RAW, path, "its bytes are in git itself: it was added without the filter; git add --renormalize mends that")
        for path in sizes
        if path in ours and sizes[path] and path not in pointers
    ]


def _claims(blob: SmallBlob) -> bool:
    try:
        parse_pointer(blob.data)
    except NotAPointer:
        return False
    except LeptonError:
        return True  # a damaged one: reported as that
    return True


def _sizes_in_head(git: GitRepository) -> dict[str, int]:
    """Path and size in bytes of HEAD's ordinary files."""
    sizes = {}
    for line in os.fsdecode(git.run("ls-tree", "-r", "-z", "-l", "--full-tree", "HEAD")).split("\0")[:-1]:
        head, path = line.split("\t", 1)
        mode, _, _, size = head.split()
        if mode.startswith("100"):
            sizes[path] = int(size)
    return sizes


def _overruled_attributes(git: GitRepository) -> list[Finding]:
    """Tracked paths where another line turned line-end conversion on again: it could change weights on checkout."""
    paths = [entry.path for entry in git.index_entries()]
    ours = git.lepton_paths(paths)
    return [
        Finding(Kind.ATTRIBUTES, path, f"the attribute text is {value} and should be unset: move our line in .gitattributes last")
        for path, value in text_attributes(git, sorted(ours))
        if value != "unset"
    ]


def text_attributes(git: GitRepository, paths: Sequence[str]) -> list[tuple[str, str]]:
    """The attribute `text` of each path, as git sees it."""
    if not paths:
        return []
    stdin = b"".join(os.fsencode(path) + b"\0" for path in paths)
    folder = str(git.top_level or git.git_dir)
    fields = os.fsdecode(git.run("-C", folder, "check-attr", "--stdin", "-z", "text", stdin=stdin)).split("\0")
    return list(zip(fields[::3], fields[2::3], strict=False))
