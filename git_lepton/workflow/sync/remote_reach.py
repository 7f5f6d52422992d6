"""The reach of a remote: what the refs of its repository reach now, and what it so keeps for good. It is asked, as what was fetched before
may be old."""

from __future__ import annotations

from git_lepton.errors import NetworkTrouble

TYPE_CHECKING = False
if TYPE_CHECKING:
    from git_lepton.workspace import Workspace


class RefsNotHeard(NetworkTrouble):
    """The other side does not say which refs it has."""


def names_of_refs(workspace: Workspace) -> list[str] | None:
    """The objects that its refs name now, those that are here; None where its git history is elsewhere: then it keeps what it has until
    somebody unlinks it. Raises RefsNotHeard, and as `Workspace.remote` does."""
    git, location = workspace.git, workspace.settings.store_location()
    if location.folder is not None:
        where = str(location.folder)
    elif workspace.remote().information().kind != "hosted":
        return None
    elif location.remote and location.origin in ("remote", "submodule"):
        where = location.remote
    else:
        where = f"lepton::{location.url}/{location.repository}"
    status, output, stderr = git.try_run("ls-remote", "--quiet", where, environment={"GIT_TERMINAL_PROMPT": "0"})
    if status:
        said = stderr.strip().splitlines()[-1:] or ["git said nothing"]
        raise RefsNotHeard(f"{where} does not say which refs it has: {said[0]}", "Nothing was forgotten. Try: git ls-remote")
    return git.present(sorted({line.split("\t")[0] for line in output.decode("utf-8", "replace").splitlines()}))
