"""Surroundings of an evaluation: the environment from which git was started, and the environment class that its evidence has."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from git_lepton.errors import WrongUse
from git_lepton.evidence.gates import Evaluation

PLACEHOLDERS = ("{model}", "{base}", "{result}")
_OF_ONE_REPOSITORY = (  # git sets them for its hooks; another git that an evaluation starts must not take them for its own
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_CONFIG",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
)
_SECRETS = ("GIT_LEPTON_TOKEN", "GIT_LEPTON_HOST")


class BadCommand(WrongUse):
    """The command of an evaluation cannot be run."""


def environment_of_user(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that git was started with: without what git sets for one repository, without our token, and without the virtual
    environment that pre-commit made for its hook, in which nothing of the user's is installed."""
    found = {name: value for name, value in environment.items() if name not in (*_OF_ONE_REPOSITORY, *_SECRETS)}
    if environment.get("PRE_COMMIT") and sys.prefix != sys.base_prefix:
        own = {os.path.realpath(Path(sys.prefix, name)) for name in ("bin", "Scripts")}
        path = [part for part in found.get("PATH", "").split(os.pathsep) if os.path.realpath(part) not in own]
        found["PATH"] = os.pathsep.join(path)
        found.pop("VIRTUAL_ENV", None)
        users = next((part for part in path if (Path(part).parent / "pyvenv.cfg").is_file()), None)
        if users:
            found["VIRTUAL_ENV"] = str(Path(users).parent)
    return found


def command_line(evaluation: Evaluation, places: Mapping[str, str], top: Path, environment: Mapping[str, str]) -> list[str]:
    """The words of the command, with `places` for {model}, {base} and {result}; its first word as a whole path. No shell reads it.

    Raises BadCommand where quotes do not match, a placeholder has no place, or the program is not there.
    """
    try:
        words = shlex.split(evaluation.command)
    except ValueError as error:
        raise BadCommand(f"the command of [eval.{evaluation.name}] in lepton.toml cannot be read: {error}") from error
    if not words:
        raise BadCommand(f"the command of [eval.{evaluation.name}] in lepton.toml is empty")
    for placeholder in PLACEHOLDERS:
        if placeholder in evaluation.command and placeholder not in places:
            raise BadCommand(
                f"the command of [eval.{evaluation.name}] names {placeholder}, and the model has no base in this repository",
                '[model.NAME] base = "REV:PATH"',
            )
    python = environment.get("GIT_LEPTON_PYTHON") or evaluation.python
    if python and words[0] in ("python", "python3"):
        words[0] = str(top / python) if os.sep in python else python  # a path is one from the top of the work tree
    program = shutil.which(words[0] if os.sep not in words[0] else str(top / words[0]), path=environment.get("PATH"))
    if program is None:
        raise BadCommand(
            f"[eval.{evaluation.name}] in lepton.toml starts {words[0]}, which is not there",
            'python = ".venv/bin/python" says which one; or activate the environment that git is started from.',
        )
    filled = []
    for word in words[1:]:
        for placeholder, place in places.items():
            word = word.replace(placeholder, place)  # noqa: PLW2901
        filled.append(word)
    return [program, *filled]


def environment_class(told: Mapping[str, str]) -> dict[str, str]:
    """What has to be equal for two runs to be comparable: the kind of machine, and what the evaluation told of its own."""
    return {"system": platform.system(), "machine": platform.machine(), **told}
