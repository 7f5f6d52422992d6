"""Errors of running git: there is none, or it failed."""

from __future__ import annotations

from git_lepton.errors import LeptonError, WrongUse

LEAST_GIT = (2, 30)


class GitMissing(WrongUse):
    """There is no git program on PATH."""


class GitFailed(LeptonError):
    """git ended with an error. `status` is its exit code, `stderr` what it said. `git.failures` finds out of which kind it is."""

    def __init__(self, arguments: tuple[str, ...], status: int, stderr: str, hint: str = "") -> None:
        said = next((line for line in stderr.splitlines() if line.startswith(("fatal:", "error:"))), stderr.strip())
        what = said or f"exit code {status}"
        super().__init__(f"`git {' '.join(arguments[:6])}` failed: {what}", hint or "Run it yourself to see all it says.")
        self.status = status
        self.stderr = stderr
