"""Git's configuration as we write it, so that git finds our program from any environment.

Every command that git is to start is one shell line that tries, in this order: the interpreter that ran the installation, by
absolute path, if it and this package are still there; `git-lepton` on PATH; else it says how to mend that, and fails. The
installing interpreter comes first because it can be checked without being started: a `git-lepton` on PATH may belong to
another environment, or name an interpreter that was deleted, and what the shell has exec'ed cannot be taken back.
`-P` keeps Python from importing what lies in the work tree.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from git_lepton.git.repository import GitRepository

FILTER_KEY = "filter.lepton.process"
_SECTIONS = ("filter.lepton", "merge.lepton")
HOOKS_KEY = "lepton.hooks"
_SUBMODULES = "protocol.lepton.allow"  # without it recursive submodules over lepton:: are refused by git
_GONE = (
    "git-lepton: this repository keeps weights with git-lepton, which cannot be started; "
    "install it (pipx install git-lepton), then run: git lepton install"
)


def command_line(arguments: str) -> str:
    """The shell line that starts `git-lepton` with these arguments (shell text). It ends the shell that runs it."""
    interpreter = shlex.quote(Path(sys.executable).as_posix())
    program = shlex.quote((Path(__file__).parents[1] / "__main__.py").as_posix())
    return (
        f"if [ -x {interpreter} ] && [ -f {program} ]; then exec {interpreter} -P -m git_lepton {arguments}; "
        f"elif command -v git-lepton >/dev/null 2>&1; then git-lepton {arguments}; lepton=$?; else lepton=127; fi; "
        f'case $lepton in 126|127) echo "{_GONE}" >&2; exit 1;; esac; exit $lepton'
    )


def values() -> dict[str, str]:
    """The keys that make git use our filter and merge driver, and their values."""
    return {
        "merge.lepton.name": "weights: the side that changed, else a conflict",
        "merge.lepton.driver": command_line("merge-driver %O %A %B %P"),
        "filter.lepton.required": "true",
        FILTER_KEY: command_line("filter-process"),  # last: who finds it finds all
    }


def is_configured(git: GitRepository) -> bool:
    """Whether any configuration that holds here names our filter."""
    return git.config(FILTER_KEY) is not None


def configure(git: GitRepository, scope: str = "local") -> None:
    """Write our keys into the repository's ("local") or the user's ("global") configuration; what is there already stays."""
    present = _own(git, scope)
    for key, value in values().items():
        if present.get(key) != value:
            git.set_config(key, value, scope)
    if scope == "global" and _SUBMODULES not in present:
        git.set_config(_SUBMODULES, "always", scope)


def allow_hooks(git: GitRepository, allowed: bool, scope: str = "local") -> None:
    """Remember in this scope whether a hook may be written by itself: no entry means yes."""
    if not allowed:
        git.set_config(HOOKS_KEY, "false", scope)
    elif HOOKS_KEY in _own(git, scope):
        git.unset_config(HOOKS_KEY, scope)


def hooks_allowed(git: GitRepository) -> bool:
    """Whether a hook may be written where nobody asked for it just now."""
    return (git.config(HOOKS_KEY) or "true").lower() not in ("false", "no", "off", "0")


def is_configured_in(git: GitRepository, scope: str) -> bool:
    """Whether this very scope names our filter."""
    return FILTER_KEY in _own(git, scope)


def take_back(git: GitRepository, scope: str = "local") -> bool:
    """Remove what `configure` wrote into this scope. Whether anything was there."""
    present = _own(git, scope)
    sections = [section for section in _SECTIONS if any(key.startswith(section + ".") for key in present)]
    for section in sections:
        git.remove_config_section(section, scope)
    if HOOKS_KEY in present:
        git.unset_config(HOOKS_KEY, scope)
    if scope == "global" and present.get(_SUBMODULES) == "always":
        _drop_submodules(git, scope, alone=[key for key in present if key.startswith("protocol.lepton.")] == [_SUBMODULES])
    return bool(sections)


def _drop_submodules(git: GitRepository, scope: str, *, alone: bool) -> None:
    """Of a section whose last key goes, git keeps the heading where a comment stands before it."""
    if alone:
        git.remove_config_section("protocol.lepton", scope)
    else:
        git.unset_config(_SUBMODULES, scope)


def _own(git: GitRepository, scope: str) -> dict[str, str]:
    """What this scope itself says; nothing where its file is not there yet."""
    status, output, _ = git.try_run("config", f"--{scope}", "--list", "-z", "--no-includes")
    entries = output.decode("utf-8", "surrogateescape").split("\0")[:-1] if status == 0 else []
    return {key: value for key, _, value in (entry.partition("\n") for entry in entries)}
