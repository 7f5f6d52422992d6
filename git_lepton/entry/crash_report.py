"""Crash reports: what is needed to mend a bug (the traceback, versions, the command), in a file, and nothing secret."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from git_lepton import __version__
from git_lepton.settings import Settings

_SECRETS = (
    (re.compile(r"(?<=://)[^\s'\"]+(?=@)"), "***"),  # user and password in a URL; a password may have a slash in it
    (re.compile(r"\blpt_[A-Za-z0-9_-]+"), "lpt_***"),
    (re.compile(r"/s/[A-Za-z0-9_-]{43}"), "/s/***"),  # the link of a share
    (re.compile(r"(?i)(authorization\W+\w+ +|bearer +|basic +|token[=: ]+|password[=: ]+)\S+"), r"\1***"),
    (re.compile(r"(?i)([?&][^=&\s]*(?:signature|token|credential)[^=&\s]*=)[^&\s]+"), r"\1***"),  # presigned URLs
)


def write_crash_report(error: BaseException, arguments: Sequence[str]) -> Path:
    """Write the report into the repository's lepton folder, or the system's folder for temporary files. Returns where it is."""
    text = "\n".join(
        [
            f"git-lepton {__version__}, Python {platform.python_version()}, {platform.platform()}",
            f"git: {_git_version()}",
            f"command: {' '.join(arguments)}",
            "",
            *traceback.format_exception(error),
        ]
    )
    name = f"crash-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
    for folder in (_repository_folder(), Path(tempfile.gettempdir())):
        if folder is not None:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                with (folder / name).open("x", encoding="utf-8") as report:  # nothing that somebody laid there is written through
                    report.write(without_secrets(text))
            except OSError:
                continue  # a read-only repository: the next folder takes it
            return folder / name
    sys.stderr.write(without_secrets(text))  # nowhere to write: then here, rather than lose it
    return Path(name)


def without_secrets(text: str) -> str:
    """The text with tokens, passwords and signatures blotted out."""
    given = Settings(None).environment.get("GIT_LEPTON_TOKEN", "")  # as it is: what is wrong with it may be why we are here
    for secret in filter(None, (given, given.strip(), *(word for word in given.split() if len(word) > 5))):
        text = text.replace(secret, "***").replace(repr(secret)[1:-1], "***")
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def _repository_folder() -> Path | None:
    folder = _ask_git("rev-parse", "--git-common-dir")
    return Path(folder).resolve() / "lepton" if folder else None


def _git_version() -> str:
    return _ask_git("version") or "not found"


def _ask_git(*arguments: str) -> str:
    """Git's answer, or nothing: a crash report must come about whatever else is broken."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else ""
