"""People with accounts on a running server, each with git and with a client of the API."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from git_lepton.wire.protocol import repository_path
from tests.support.git_sandbox import GitSandbox


class Person:
    """An account on a server, looking at one repository; nobody where the token is empty."""

    def __init__(self, http: httpx.Client, name: str, token: str, repository: str) -> None:
        self.http, self.name, self.token, self.repository = http, name, token, repository

    @property
    def url(self) -> str:
        """Of the repository, for git, with the token in it."""
        return str(self.http.base_url.join(f"/{self.repository}.git")).replace("//", f"//{self.name}:{self.token}@", 1)

    def ask(self, method: str, *parts: str, **options: Any) -> httpx.Response:
        """One request about the repository."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return self.http.request(method, repository_path(self.repository, *parts), headers=headers, **options)

    def at(self, repository: str) -> Person:
        """The same account at another repository."""
        return Person(self.http, self.name, self.token, repository)

    def clone(self, folder: Path) -> GitSandbox:
        """The repository as this person has it, with a remote `origin`."""
        GitSandbox.create(folder.parent / f"{folder.name}-elsewhere", filter=None, track=None).git(
            "clone", "--quiet", self.url, str(folder)
        )
        return GitSandbox(folder)


def own_name(request: pytest.FixtureRequest) -> str:
    """A name for the repository of one test."""
    return "".join(letter if letter.isalnum() else "-" for letter in request.node.name).strip("-")[:60].lower()


def said(reply: httpx.Response) -> tuple[int, str]:
    """Status and words of a refusal."""
    return reply.status_code, str(reply.json()["error"]["message"])
