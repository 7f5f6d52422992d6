"""The default branch of a hosted repository: what HEAD names, which a clone checks out and which no push may delete."""

from __future__ import annotations

from lepton_server.database.transactions import Database
from lepton_server.errors import Refusal
from lepton_server.git import folder_marks
from lepton_server.git.program import Git
from lepton_server.git.ref_lock import RefsBusy, hold_refs
from lepton_server.git.refs import refs_of
from lepton_server.identity import audit_log
from lepton_server.identity.caller import Caller
from lepton_server.repositories import registry
from lepton_server.repositories.registry import Repository
from lepton_server.settings import ServerSettings

_BRANCHES = "refs/heads/"
_PATIENCE_SECONDS = 20.0


def set_default_branch(database: Database, settings: ServerSettings, by: Caller, repository: Repository, branch: str) -> None:
    """Make HEAD name this branch (without refs/heads/), which is there. Raises Refusal: conflict where git's history is
    elsewhere, bad_request where there is no such branch, unavailable."""
    if repository.kind != "hosted":
        raise Refusal("conflict", f"The git history of {repository.full_name} is not hosted here.", "Set it where it is hosted.")
    directory = registry.git_directory(settings, repository).absolute()
    with database.read() as connection:
        folder_marks.check(connection, settings, repository)
    try:
        with hold_refs(database, settings, repository.id, _PATIENCE_SECONDS):
            if not directory.exists() or _BRANCHES + branch not in refs_of(git := Git(directory, bounds=settings.git_bounds)):
                raise Refusal("bad_request", f"{repository.full_name} has no branch {branch[:200]!r}.", "Push it first.")
            git.run("symbolic-ref", "HEAD", _BRANCHES + branch)
            with database.write() as connection:
                registry.set_default_branch(connection, repository, branch)
                audit_log.note(connection, by, "repository.default-branch", repository=repository.full_name, subject=branch)
    except RefsBusy as error:
        raise Refusal("unavailable", "The refs of this repository are moving.", "Try again.") from error
