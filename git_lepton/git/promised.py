"""Objects that a partial clone was promised and has not brought: small files of history come in few requests, not one for each."""

from __future__ import annotations

import os

from git_lepton.errors import NetworkTrouble
from git_lepton.git.repository import SMALL, GitRepository

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

_ROUNDS = 100  # folders in folders, where trees were left out too
_LIMIT = "blob:limit="
_UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


class NotBrought(NetworkTrouble):
    """What a partial clone left out could not be brought, so that history cannot be looked through."""


def bring_small_files(git: GitRepository, tips: Sequence[str], *, history: bool = True) -> int:
    """Have git bring what it left out of the files and folders that these commits reach (without `history`: of their own),
    unless none of it can be as small as a pointer; how many there were. Raises NotBrought."""
    remote, left_out = _promisor(git)
    if remote is None or not tips or _leaves_small_files_in(left_out):
        return 0
    brought, before = 0, set[str]()
    for _ in range(_ROUNDS):
        lacking = _lacking(git, tips, history=history)
        if not lacking:
            return brought
        if lacking == before:
            break
        _bring(git, remote, lacking)
        brought, before = brought + len(lacking - before), lacking
    raise NotBrought(
        f"{len(lacking)} files of history were left out of this partial clone, and {remote} does not give them",
        "Ask whoever runs it; or look through a full clone.",
    )


def bring_files(git: GitRepository, commit: str, paths: Collection[str]) -> None:
    """Have git bring what it left out of these files of a commit, at once: by itself it would ask for one after the other. Raises
    NotBrought."""
    remote, _ = _promisor(git)
    lacking = _lacking(git, [commit], history=False, paths=paths) if remote and paths else set()
    if remote and lacking:
        _bring(git, remote, lacking)


def _promisor(git: GitRepository) -> tuple[str | None, str]:
    """The remote that has what was left out, and what was ("blob:none")."""
    _, listed, _ = git.try_run("config", "--get-regexp", r"^remote\..*\.promisor$") if git.is_partial() else (0, b"", "")
    for line in os.fsdecode(listed).splitlines():
        key, _, value = line.partition(" ")
        if value.lower() in ("true", "yes", "on", "1", ""):
            name = key.removeprefix("remote.").removesuffix(".promisor")
            return name, git.config(f"remote.{name}.partialclonefilter") or ""
    return None, ""


def _leaves_small_files_in(left_out: str) -> bool:
    if not left_out.startswith(_LIMIT):
        return False
    digits = left_out.removeprefix(_LIMIT).lower()
    unit = _UNITS.get(digits[-1:], 1)
    number = digits[:-1] if unit > 1 else digits
    return number.isdigit() and int(number) * unit > SMALL


def _lacking(git: GitRepository, tips: Sequence[str], *, history: bool, paths: Collection[str] = ()) -> set[str]:
    walk = () if history else ("--no-walk",)
    stdin = os.fsencode("".join(f"{line}\n" for line in (*tips, *(["--", *paths] if paths else []))))
    command = (
        "--no-replace-objects",
        "--literal-pathspecs",
        "rev-list",
        "--objects",
        "--missing=print",
        "--no-object-names",
        *walk,
        "--stdin",
    )
    lines = git.run(*command, stdin=stdin, environment={"GIT_NO_LAZY_FETCH": "1"})
    return {line[1:].decode() for line in lines.splitlines() if line.startswith(b"?")}


def _bring(git: GitRepository, remote: str, names: set[str]) -> None:
    """As git itself asks a promisor for objects by their names."""
    how = ("-c", "fetch.negotiationAlgorithm=noop", "fetch", "--quiet", "--no-tags", "--no-write-fetch-head")
    names_only = ("--recurse-submodules=no", "--filter=blob:none", "--stdin")
    asked = "".join(f"{name}\n" for name in sorted(names)).encode()
    status, _, stderr = git.try_run(*how, remote, *names_only, stdin=asked, environment={"GIT_TERMINAL_PROMPT": "0"})
    if status:
        said = stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise NotBrought(
            f"{len(names)} files of history were left out of this partial clone, and git could not bring them: {said[0]}",
            f"Try again when {remote} can be reached.",
        )
