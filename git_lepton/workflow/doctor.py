"""Looks at each thing that can be wrong with a set-up, and says how to mend it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from git_lepton.errors import LeptonError
from git_lepton.format.identifiers import ObjectId
from git_lepton.git.configuration import FILTER_KEY
from git_lepton.git.repository import GitRepository, NotARepository
from git_lepton.settings.location import NoStore
from git_lepton.workflow.environment import FOREIGN_HOOK, hook_state
from git_lepton.workflow.verify import text_attributes
from git_lepton.workspace import Workspace

LEAST_GIT = (2, 27)
_LEAST_FREE = 1 << 30
_GREETING = b"0016git-filter-client\n000eversion=2\n00000015capability=clean\n0000"
_NO_FILE = ObjectId(bytes(32))


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
    yield _disk(common)
    yield _store(workspace)


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
    state = hook_state(workspace.git)
    config = workspace.settings.config
    urls = [url for name in config.subsections("remote") for url in config.all(f"remote.{name}.url")]
    needed = any(not url.startswith(("lepton::", "lepton://")) for url in urls)
    if state == "installed" or not needed:
        return Finding("pre-push hook", True, state if needed else f"{state}; not needed, as no remote is an ordinary one")
    fix = 'Add to that hook the line: git lepton pre-push "$@"' if state == FOREIGN_HOOK else "git lepton install"
    return Finding("pre-push hook", False, f"{state}: `git push` to an ordinary remote would leave the weights here", fix)


def _attributes(git: GitRepository) -> Finding:
    ours = git.lepton_paths(entry.path for entry in git.index_entries())
    overruled = [path for path, value in text_attributes(git, sorted(ours)) if value != "unset"]
    if overruled:
        message = f"line-end conversion is on for {overruled[0]}" + (f" and {len(overruled) - 1} more" if overruled[1:] else "")
        return Finding("attributes", False, message, "In .gitattributes move our lines below the line that sets `text`.")
    return Finding("attributes", True, f"{len(ours)} tracked file" + ("" if len(ours) == 1 else "s"))


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
