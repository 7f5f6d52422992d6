"""Weights that the refs of hosted repositories reach, compared with what is stored: those of every pointer are linked in the repository, or
were taken away on the record.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from git_lepton.errors import LeptonError
from git_lepton.format.pointer import Pointer
from lepton_server.content import objects, tombstones
from lepton_server.database.transactions import Database
from lepton_server.git import folder_marks
from lepton_server.git.history import HistoryAbsent, Reached, RefsDiffer, open_history, settled_refs
from lepton_server.git.program import Git
from lepton_server.git.ref_mirror import mirrored_refs
from lepton_server.git.refs import refs_of
from lepton_server.maintenance.losses import Loss
from lepton_server.repositories import registry
from lepton_server.repositories.registry import Repository
from lepton_server.settings import ServerSettings

_PLACED = 50  # objects of a repository for which it is looked where they stand
_MOST_REFS = 100


def not_stored(database: Database, repository: Repository, reached: Mapping[str, Pointer]) -> dict[str, Pointer]:
    """Those of these pointers (by blob) whose weights the repository neither holds nor has let go of on the record."""
    oids = {pointer.oid.raw for pointer in reached.values()}
    with database.read() as connection:
        sizes = objects.stored_sizes(connection, repository, oids)
        gone = tombstones.of_objects(connection, repository, oids - sizes.keys())
    return {
        blob: pointer
        for blob, pointer in reached.items()
        if sizes.get(pointer.oid.raw) != pointer.size and pointer.oid.raw not in gone
    }


def missing_weights(database: Database, settings: ServerSettings, repository: Repository) -> list[Loss]:
    """The weights that a hosted repository's refs reach and that are not stored. Raises HistoryAbsent, GitFailed, CorruptData."""
    git = open_history(settings, repository)
    missing: dict[str, Pointer] = {}
    for _ in range(2):  # what a branch reached that is just being deleted may go meanwhile: it is looked at once more
        refs = refs_of(git)
        reached = Reached(git)
        reached.follow(refs.values())
        missing = not_stored(database, repository, reached.pointers)
        if not missing:
            return []
    places = _places(git, sorted(refs), missing)
    return [
        Loss(repository.full_name, pointer.oid.hex, pointer.size, places.get(blob, ()))
        for blob, pointer in sorted(missing.items(), key=lambda item: item[1].oid.hex)
    ]


def doubts(database: Database, settings: ServerSettings, repository: Repository) -> list[str]:
    """Why it is not certain that the database knows all that a hosted repository needs: a sentence for each reason, none if it does."""
    try:
        git = open_history(settings, repository)
    except HistoryAbsent as error:
        with database.read() as connection:
            return [error.message] if mirrored_refs(connection, repository) else []
    try:
        with database.read() as connection:
            folder_marks.check(connection, settings, repository)
        settled_refs(database, repository, git)
    except RefsDiffer as error:
        return [error.message]
    except LeptonError as error:
        return [f"{repository.full_name}: {error.message}"]
    return []


def unknown_histories(database: Database, settings: ServerSettings) -> list[str]:
    """Folders of git repositories with refs, below the root of all, that belong to no repository that the database knows."""
    with database.read() as connection:
        known = {(settings.git_root / folder).resolve() for folder in registry.git_folders(connection)}
    found = []
    for folder in sorted(settings.git_root.glob("*/*.git")):
        if folder.parent.name.startswith(".") and folder.parent.name != registry.UNNAMED:
            continue
        if folder.resolve() not in known and not folder_marks.is_copy(folder) and _has_refs(folder):
            found.append(f"{folder.parent.name}/{folder.name}")
    return found


def _has_refs(folder: Path) -> bool:
    try:
        return (folder / "HEAD").is_file() and bool(refs_of(Git(folder)))
    except LeptonError:
        return True


def _places(git: Git, refs: Iterable[str], missing: Mapping[str, Pointer]) -> dict[str, tuple[str, ...]]:
    """The places of each missing blob: REF:PATH at branches and tags, else COMMIT:PATH of a commit that brought it."""
    found: dict[str, list[str]] = {}
    for ref in list(refs)[:_MOST_REFS]:
        for line in git.run("ls-tree", "-r", "-z", "--full-tree", ref).split(b"\0")[:-1]:
            head, _, path = line.partition(b"\t")
            blob = head.split(b" ")[2].decode()
            if blob in missing:
                found.setdefault(blob, []).append(f"{ref}:{path.decode('utf-8', 'backslashreplace')}")
    for blob in sorted(missing.keys() - found.keys())[:_PLACED]:
        if place := _first_place(git, blob):
            found[blob] = [place]
    return {blob: tuple(places) for blob, places in found.items()}


def _first_place(git: Git, blob: str) -> str:
    """COMMIT:PATH of the first commit that has a blob; "" where only a commit has it that git does not show as a difference."""
    how = ("--all", "--reverse", "--format=%H", "--raw", "-z", "--no-abbrev", "--no-renames", "--root", "-m")
    commit = ""
    fields = iter(git.run("log", *how, f"--find-object={blob}").split(b"\0"))
    for field in fields:
        head = field.strip()
        if head.startswith(b":") and head.split(b" ")[3].decode() == blob:
            return f"{commit[:12]}:{next(fields).decode('utf-8', 'backslashreplace')}"
        if not head.startswith(b":") and len(head) == 40:
            commit = head.decode()
    return ""
