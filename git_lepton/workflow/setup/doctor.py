"""The examination of a set-up: each thing that can be wrong with it, and how to mend it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from git_lepton.errors import LeptonError
from git_lepton.format.identifiers import ObjectId
from git_lepton.format.pointer import claims_to_be_pointer
from git_lepton.git.configuration import FILTER_KEY
from git_lepton.git.errors import LEAST_GIT
from git_lepton.git.hooks import INSTALLED, hooks_folder, pre_push_state
from git_lepton.git.repository import GitRepository, NotARepository
from git_lepton.settings.location import NoStore
from git_lepton.workflow.setup.placeholders import placeholders_in_index
from git_lepton.workflow.setup.push_guard import unguarded
from git_lepton.workflow.sync.coverage import changed_attribute_files, stray_pointers, uncovered_in_index
from git_lepton.workflow.upkeep.lost import find_lost
from git_lepton.workflow.upkeep.verify import text_attributes
from git_lepton.workspace import Workspace

_LEAST_FREE = 1 << 30
_GREETING = b"0016git-filter-client\n000eversion=2\n00000015capability=clean\n0000"
_NO_FILE = ObjectId(bytes(32))
_NAMED = 5  # paths in a message


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: whether it is as it should be, what is there, and what to do if it is not."""

    subject: str
    ok: bool
    message: str
    fix: str = ""


def examine(workspace: Workspace) -> Iterator[Finding]:
    """Look at everything, the cheap things first."""
    git = workspace.git
    yield _git_version(git)
    yield from _programs()
    yield _filter(git)
    try:
        common = git.common_dir
    except NotARepository:
        yield Finding("repository", True, "none here: only what concerns the whole machine was looked at")
        return
    yield _hook(workspace)
    yield _attributes(git)
    yield from _placeholders(git)
    yield _disk(common)
    store = _store(workspace)
    yield store
    if store.ok:  # one that does not answer is not waited for twice
        yield from _lost(workspace)


def _git_version(git: GitRepository) -> Finding:
    text = git.text("version")
    found = re.search(r"(\d+)\.(\d+)", text)
    ok = found is not None and (int(found[1]), int(found[2])) >= LEAST_GIT
    return Finding("git", ok, text, f"Install git {'.'.join(map(str, LEAST_GIT))} or later.")


def _programs() -> Iterator[Finding]:
    for name in ("git-lepton", "git-remote-lepton"):
        place = shutil.which(name)
        fix = "Put the folder of git-lepton on PATH, or: pipx install git-lepton"
        yield Finding(name, place is not None, place or "is not on PATH", fix)


def _filter(git: GitRepository) -> Finding:
    command = git.config(FILTER_KEY)
    if command is None:
        return Finding("filter", False, "git does not know it", "git lepton install")
    # through git, so that it is started by the very shell that git would use
    status, answer, said = git.try_run("-c", f"alias.lepton-greeting=!{command}", "lepton-greeting", stdin=_GREETING)
    if b"git-filter-server" not in answer:
        reason = said.strip().splitlines()[-1:] or [f"exit code {status}"]
        return Finding("filter", False, f"does not start: {reason[0]}", "git lepton install")
    return Finding("filter", True, "starts")


def _hook(workspace: Workspace) -> Finding:
    missing = unguarded(workspace)
    if missing:
        return Finding("pre-push hook", False, missing.message, missing.hint)
    state = pre_push_state(hooks_folder(workspace.git).path)
    return Finding(
        "pre-push hook", True, state if state == INSTALLED else f"{state}; not needed, as no remote is an ordinary one"
    )


def _attributes(git: GitRepository) -> Finding:
    entries = git.index_entries()
    ours = git.lepton_paths(entry.path for entry in entries)
    overruled = [path for path, value in text_attributes(git, sorted(ours)) if value != "unset"]
    if overruled:
        message = f"line-end conversion is on for {_first(overruled)}"
        return Finding("attributes", False, message, "In .gitattributes move our lines below the line that sets `text`.")
    if git.top_level and (strays := list(stray_pointers(git, entries, ours))):
        message = f"{_first(strays)} should be weights, and is a pointer that no .gitattributes covers"
        return Finding(
            "attributes", False, message, f"git lepton track {quote(strays[0])}, git lepton pull, and commit .gitattributes"
        )
    pointers = [blob.path for blob in git.small_blobs_in_index() if claims_to_be_pointer(blob.data)]
    if private := uncovered_in_index(git, pointers):
        message = f"{_first(private)} has no filter by the .gitattributes in git, so that clones hold pointers"
        changed = " ".join(map(quote, changed_attribute_files(git))) if git.top_level else ""
        fix = (
            f"git add {changed}, and commit it" if changed else f"git lepton track {quote(private[0])}, and commit .gitattributes"
        )
        return Finding("attributes", False, message, fix)
    return Finding("attributes", True, f"{len(ours)} tracked file" + ("" if len(ours) == 1 else "s"))


def _first(paths: list[str]) -> str:
    return paths[0] + (f" and {len(paths) - 1} more" if paths[1:] else "")


def _placeholders(git: GitRepository) -> Iterator[Finding]:
    found = placeholders_in_index(git)
    for command, error in {error.command: error for error in found.values()}.items():
        paths = [path for path, other in found.items() if other.command == command]
        more = f" and {len(paths) - 1} more" if paths[1:] else ""
        yield Finding("weights", False, f"{paths[0]}{more}: {error.message}", f"{command}, then git add the files")


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    return Finding("disk", free >= _LEAST_FREE, f"{free / 1e9:.1f} GB free", "git lepton prune, or make room otherwise.")


def _store(workspace: Workspace) -> Finding:
    """Reachable, and does it let us in: asks about an object that cannot be there."""
    try:
        location = workspace.settings.store_location()
        if location.folder is None:
            workspace.remote().check([_NO_FILE])
    except NoStore as error:
        if not workspace.settings.config.subsections("remote"):
            return Finding("store", True, "no remote yet")
        return Finding("store", False, error.message, error.hint)
    except LeptonError as error:
        return Finding("store", False, error.message, error.hint)
    return Finding("store", True, f"{location} answers")


def _lost(workspace: Workspace) -> Iterator[Finding]:
    """Weights of HEAD that are neither here nor where they could be fetched from."""
    try:
        lost = find_lost(workspace)
    except LeptonError as error:
        yield Finding("weights", False, error.message, error.hint)
        return
    for why in dict.fromkeys(lost.paths.values()):
        paths = [path for path, other in lost.paths.items() if other == why]
        shown = ", ".join(paths[:_NAMED]) + (f" and {len(paths) - _NAMED} more" if paths[_NAMED:] else "")
        if why:
            yield Finding(
                "weights", False, f"{shown}: {why}", "Use another version; `git lepton fsck --remote --all` says which are whole."
            )
        elif lost.doubt:
            fix = lost.doubt.hint or "Try again when it can be reached."
            yield Finding("weights", False, f"not here, and perhaps nowhere: {shown}: {lost.doubt.message}", fix)
        else:
            fix = "Somebody who has them has to run: git lepton push --all"
            yield Finding("weights", False, f"neither this clone nor a remote has those of {shown}", fix)
