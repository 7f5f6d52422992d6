"""Marks of git folders: a file in each says which repository it was made for, by its number and the moment of its making.

A name does not say it. Where an older copy of the database is put back, folders stay that no row names, and a new repository may be called
as one of them was: it must not be given that history. A folder of before there were marks is its repository's where the database has refs
of it, or the folder has none, and is marked then.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, select

from git_lepton.errors import LeptonError
from lepton_server.database.tables import repositories as rows
from lepton_server.durable import write_whole
from lepton_server.errors import Refusal
from lepton_server.git.program import Git
from lepton_server.git.ref_mirror import mirrored_refs
from lepton_server.git.refs import refs_of
from lepton_server.repositories import registry
from lepton_server.repositories.registry import Repository
from lepton_server.settings import ServerSettings

MARK = "lepton-repository"
_COPY = "copy\n"  # what a fork is being made of: nobody has it yet


def check(connection: Connection, settings: ServerSettings, repository: Repository) -> None:
    """The folder is this repository's, and is marked so from now on; or there is none yet. Raises Refusal (conflict)."""
    directory = registry.git_directory(settings, repository)
    mark, own = _mark(directory), _own(connection, repository)
    if mark == own or not directory.exists():
        return
    if mark is not None or not (mirrored_refs(connection, repository) or _is_empty(directory)):
        if _mark(directory) == own:
            return  # another request marked it meanwhile, and a push brought refs
        raise Refusal(
            "conflict",
            f"The folder {repository.git_folder} on the server holds the git history of another repository than {repository.full_name}.",
            "Use another name, or let whoever runs the server move that folder away (the operations page says when it is the right one).",
        )
    write_whole(directory / MARK, own, 0o600)


def adopt(connection: Connection, settings: ServerSettings, repository: Repository) -> None:
    """Whoever runs the server says that an unmarked folder is this repository's. Raises Refusal where it is marked as another's."""
    directory = registry.git_directory(settings, repository)
    if _mark(directory) is None:
        write_whole(directory / MARK, _own(connection, repository), 0o600)
    check(connection, settings, repository)


def is_of_another(connection: Connection, settings: ServerSettings, repository: Repository) -> bool:
    """Whether a mark says that the folder is not this repository's."""
    return _mark(registry.git_directory(settings, repository)) not in (None, _own(connection, repository))


def begin_copy(directory: Path) -> None:
    """Mark a new folder as one that goes again unless it becomes a repository's."""
    write_whole(directory / MARK, _COPY, 0o600)


def is_abandoned(directory: Path) -> bool:
    """Whether, if no repository has it and nobody is making it, what was making this folder died: a copy for a fork, or one without refs.
    What has refs and no mark may be the history of a repository that an older database does not know."""
    text = _text(directory)
    return text == _COPY or (text is None and (_is_empty(directory) or not any(directory.iterdir())))


def is_copy(directory: Path) -> bool:
    """Whether it is a fork's that is not there yet."""
    return _text(directory) == _COPY


def _own(connection: Connection, repository: Repository) -> str:
    created = connection.execute(select(rows.c.created).where(rows.c.id == repository.id)).scalar_one()
    return f"{repository.id} {created}\n"


def _mark(directory: Path) -> str | None:
    """Which repository's it is; None where that was not said yet."""
    text = _text(directory)
    return None if text == _COPY else text


def _text(directory: Path) -> str | None:
    try:
        return (directory / MARK).read_text("ascii", errors="replace")
    except (FileNotFoundError, NotADirectoryError):
        return None


def _is_empty(directory: Path) -> bool:
    try:
        return not refs_of(Git(directory))
    except LeptonError:
        return False
