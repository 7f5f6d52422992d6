"""A repository with both sides: weights by the wire protocol, and a git history of pointers pushed by plain git."""

from __future__ import annotations

from pathlib import Path

from git_lepton.format.pointer import Pointer
from tests.server.weights_client import Weights, WeightsClient
from tests.support.git_sandbox import GitSandbox


class Hosted:
    """`client`'s repository, and a clone of it in `folder`."""

    def __init__(self, client: WeightsClient, folder: Path) -> None:
        self.client = client
        self.work = GitSandbox.create(folder, filter=None)
        token = client.http.headers["Authorization"].removeprefix("Bearer ")
        url = str(client.http.base_url).rstrip("/").replace("://", f"://any:{token}@")
        self.work.git("remote", "add", "origin", f"{url}/{client.name}.git")

    def commit(self, *files: Weights, name: str = "model", **variables: str) -> str:
        """Commit pointers to these files, as `model0.bin` and so on; the commit."""
        for number, file in enumerate(files):
            self.work.write(f"{name}{number}.bin", pointer(file))
        self.work.git("add", "--all")
        self.work.git("commit", "--quiet", "--allow-empty", "--message", "a version", **variables)
        return self.work.head()

    def push(self, *refspecs: str) -> None:
        self.work.git("push", "--quiet", "--force", "origin", *(refspecs or ("HEAD:main",)))

    def start_over(self) -> None:
        """From now on main has one commit, without weights."""
        self.work.git("checkout", "--quiet", "--orphan", "anew")
        self.work.git("rm", "--quiet", "-rf", ".")
        self.work.git("commit", "--quiet", "--allow-empty", "--message", "nothing")
        self.work.git("branch", "--quiet", "-M", "main")
        self.push("main")

    def version(self, *files: Weights, **variables: str) -> str:
        """Store these files, and land a commit that has their pointers on main."""
        assert self.client.upload(*files)["state"] == "done"
        made = self.commit(*files, **variables)
        self.push()
        return made


def pointer(file: Weights) -> bytes:
    return Pointer(file.oid, len(file.data)).encode()
