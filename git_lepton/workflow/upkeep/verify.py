"""Checks that versions can be restored: every pointer sound, its weights here or on the store, no weights inside git itself."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from git_lepton.errors import CheckFailed, CorruptData, LeptonError, WeightsMissing
from git_lepton.format.placeholders import placeholder
from git_lepton.format.pointer import NotAPointer, Pointer, parse_pointer
from git_lepton.git.promised import NotBrought, bring_small_files
from git_lepton.git.repository import GitRepository, SmallBlob
from git_lepton.store.local_store import LocalStore
from git_lepton.workflow.sync.coverage import uncovered_in_commit
from git_lepton.workflow.sync.fetch import readable, skipped_paths
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

_LEFT_OUT = "history"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: what kind, where (a path, an oid or a pack), and a sentence."""

    kind: Kind
    subject: str
    message: str


@dataclass
class Report:
    """How many objects were looked at, how many can be restored, what is wrong, and what could not be looked at. `purged`: missing ones
    that are not stored again; `left_out`: those of HEAD that a sparse checkout leaves out, and that are not here."""

    objects: int = 0
    restorable: int = 0
    findings: list[Finding] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)
    purged: int = 0
    left_out: int = 0

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
    if git.rev_parse("HEAD") is not None and not any(finding.subject == _LEFT_OUT for finding in report.findings):
        report.findings += _raw_weights(git)
        report.findings += _overruled_attributes(git)
        report.findings += _uncovered(git, list(found.values()))
    if pointers_only:
        report.restorable = len(found)
    elif remote is not None:
        _ask_remote(workspace, found, remote or None, report)
    else:
        _look_here(workspace.store, found, report, set() if all_refs else _left_out(git, found))
    return report


def _pointers(git: GitRepository, all_refs: bool, report: Report) -> Iterator[tuple[Pointer, str]]:
    """The pointers in question, each with one of its paths. What claims to be one and is none becomes a finding."""
    for blob in _blobs(git, all_refs, report):
        try:
            yield parse_pointer(blob.data), blob.path
        except NotAPointer:
            continue  # a small ordinary file
        except LeptonError as error:
            report.findings.append(Finding(Kind.BAD_POINTER, blob.path, error.message))


def _blobs(git: GitRepository, all_refs: bool, report: Report) -> Iterable[SmallBlob]:
    """What a partial clone left out is brought; where that cannot be it is a finding, and what is here is looked at."""
    revision = git.rev_parse("HEAD")
    tips = list(dict.fromkeys(git.refs().values())) if all_refs else [revision] if revision else []
    try:
        bring_small_files(git, tips, history=all_refs)
    except NotBrought as error:
        report.findings.append(Finding(Kind.MISSING, _LEFT_OUT, error.message))
        return git.new_small_blobs(tips, promised=True)
    if all_refs:
        if git.text("rev-parse", "--is-shallow-repository") == "true":
            report.unseen.append("versions before those of this shallow clone; git fetch --unshallow brings them")
        return git.new_small_blobs(tips, promised=True) if tips else ()
    return git.small_blobs_in_tree("HEAD") if revision else ()


def _ask_remote(workspace: Workspace, found: dict[Pointer, str], remote: str | None, report: Report) -> None:
    stored = workspace.stored(list(found), remote)
    lacking = {pointer: path for pointer, path in found.items() if pointer.oid not in stored}
    gone = workspace.taken_away(list(lacking), remote) if lacking else {}
    report.restorable += len(found) - len(lacking)
    report.purged = sum(why.for_good for why in gone.values())
    for pointer, path in lacking.items():
        why = gone[pointer.oid].message if pointer.oid in gone else f"the store does not have {pointer.oid}"
        report.findings.append(Finding(Kind.MISSING, path, why))


def _left_out(git: GitRepository, found: dict[Pointer, str]) -> set[Pointer]:
    """Those of these that the work tree needs at no path, by its sparse checkout."""
    skipped = skipped_paths(git)
    if not skipped:
        return set()
    needed = {pointer for path, pointer in readable(git.small_blobs_in_index(), {}) if path not in skipped}
    return {pointer for pointer, path in found.items() if path in skipped and pointer not in needed}


def _look_here(store: LocalStore, found: dict[Pointer, str], report: Report, left_out: Collection[Pointer] = ()) -> None:
    problems = {problem.subject: problem for problem in store.verify()}
    report.findings += [Finding(Kind.CORRUPT, problem.subject, problem.message) for problem in problems.values()]
    for pointer, path in found.items():
        if _is_restorable(store, pointer, problems.keys()):
            report.restorable += 1
        elif pointer in left_out:
            report.left_out += 1
        else:
            report.findings.append(Finding(Kind.MISSING, path, f"{pointer.oid} is not on this machine"))


def _is_restorable(store: LocalStore, pointer: Pointer, damaged: Collection[str]) -> bool:
    try:
        manifest = store.manifest(pointer.oid)
    except CorruptData:
        return False
    if manifest is None or store.missing(entry.chunk for entry in manifest.entries):
        return False
    return not damaged or not any(entry.chunk.hex in damaged for entry in manifest.entries)


def _raw_weights(git: GitRepository) -> list[Finding]:
    """Files of HEAD at tracked paths whose bytes are in git itself: somebody added them without the filter."""
    sizes = _sizes_in_head(git)
    ours = git.lepton_paths(sizes, "HEAD")
    small = {blob.path: blob for blob in git.small_blobs_in_tree("HEAD")}
    pointers = {path for path, blob in small.items() if _claims(blob)}
    return [
        Finding(Kind.RAW, path, _why_raw(small.get(path)))
        for path in sizes
        if path in ours and sizes[path] and path not in pointers
    ]


def _uncovered(git: GitRepository, paths: Sequence[str]) -> list[Finding]:
    """Pointers of HEAD that no attribute file of it covers: every clone keeps the text."""
    message = (
        "a pointer that no .gitattributes in git covers: clones do not get its weights; git lepton track, and a commit, mend that"
    )
    return [Finding(Kind.ATTRIBUTES, path, message) for path in uncovered_in_commit(git, "HEAD", paths)]


def _why_raw(blob: SmallBlob | None) -> str:
    if blob and (found := placeholder(blob.data)):
        return f"{found.message}; {found.command}, then git add it"
    return "its bytes are in git itself: it was added without the filter; git add --renormalize mends that"


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
    fields = os.fsdecode(git.run_at_top("check-attr", "--stdin", "-z", "text", stdin=stdin)).split("\0")
    return list(zip(fields[::3], fields[2::3], strict=False))
