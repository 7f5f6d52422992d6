"""Garbage collection: one run of `lepton-server gc`, beside a server that serves. What nothing refers to goes, and nothing else
(docs/decisions/0012).

In order: delete what earlier runs condemned, a grace period ago. For each repository that is hosted here, unlink the objects that no
ref reaches. Then, for all: take away links to chunks that no object needs, drop encodings that nobody links, condemn packs in which
nothing lies any more. Of what is external, every linked object counts as needed until somebody unlinks it. A run that is killed leaves
what the next one finds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from itertools import islice

from sqlalchemy import exists, select

from git_lepton.errors import CheckFailed, LeptonError
from lepton_server.content import journal
from lepton_server.coordination import maintenance_runs
from lepton_server.database.tables import chunk_links
from lepton_server.database.transactions import Database
from lepton_server.git import folder_marks
from lepton_server.git.history import HistoryAbsent, Reached, RefsDiffer, open_history, settled_refs
from lepton_server.git.program import Git
from lepton_server.git.ref_lock import quiet_refs
from lepton_server.git.ref_mirror import mirrored_refs, replace_refs
from lepton_server.git.refs import refs_of
from lepton_server.identity import audit_log
from lepton_server.maintenance import dead_chunks, unlink, unused_packs
from lepton_server.maintenance.dead_chunks import Scope, Space
from lepton_server.maintenance.live_chunks import Needed
from lepton_server.maintenance.reached_weights import not_stored, unknown_histories
from lepton_server.repositories.registry import Repository
from lepton_server.settings import ServerSettings
from lepton_server.storage.object_store import ObjectStore

_OBJECTS_AT_ONCE = 500
_NAMED = 3


@dataclass
class Collected:
    """What a run did, or would do. Sizes in bytes: of objects as files, of chunks and packs as they are stored."""

    repositories: int = 0
    objects_unlinked: int = 0
    object_bytes: int = 0
    links_dropped: int = 0
    dropped_chunks: int = 0
    dropped_bytes: int = 0
    packs_condemned: int = 0
    packs_deleted: int = 0
    bytes_deleted: int = 0
    files_deleted: int = 0
    repositories_gone: int = 0  # that were deleted long ago
    accounts_gone: int = 0
    kept: list[str] = field(default_factory=list)  # repositories that hold something and have no git history: all of it stays
    refused: list[str] = field(default_factory=list)  # why a repository was left alone that should not have been
    in_doubt: list[str] = field(default_factory=list)  # why what the database does not know of was left where it is

    def __add__(self, other: Collected) -> Collected:
        return Collected(*(getattr(self, item.name) + getattr(other, item.name) for item in fields(self)))


class HistoryInDoubt(CheckFailed):
    """gc left a repository, or stored bytes, alone because it cannot know what is needed."""


class Collector:
    """One run over a scope (a tenant, or one repository of it) and the repositories in it."""

    def __init__(self, database: Database, store: ObjectStore, settings: ServerSettings, scope: Scope) -> None:
        self._database, self._store, self._settings, self._scope = database, store, settings, scope
        self._in_doubt: set[int] = set()  # repositories of which it is not certain that all that they need is known
        self.outcome = Collected()

    def run(self, repositories: Sequence[Repository]) -> Collected:
        """Collect. No other maintenance may run meanwhile."""
        unused_packs.forget_ended_uploads(self._database)
        gone = unused_packs.delete_useless(self._database, self._store, self._scope.tenant, self._scope.grace_ms)
        self.outcome.packs_deleted, self.outcome.bytes_deleted = gone
        for repository in repositories:
            self._guarded(repository, self._unlink)
        for repository in repositories:
            if repository.id not in self._in_doubt:
                needed = Needed(self._scope.tenant, repository.id)
                self.outcome.links_dropped += unlink.drop_links(self._database, self._scope, repository, needed)
        unlink.forget_objects(self._database, self._scope.tenant)
        if not self.outcome.in_doubt:
            self._count_dropped(dead_chunks.drop_dead(self._database, self._scope, self._needed()))
            self.outcome.packs_condemned = unused_packs.condemn_empty_packs(self._database, self._scope)
        return self.outcome

    def preview(self, repositories: Sequence[Repository]) -> Collected:
        """What a run would do now; nothing changes."""
        without: set[tuple[int, bytes]] = set()

        def look(repository: Repository) -> None:
            candidates = self._candidates(repository, self._look(repository)[1])
            without.update((repository.id, oid) for oid in candidates)
            self._count_objects(candidates)

        for repository in repositories:
            self._guarded(repository, look)
        for repository in repositories:
            needed = self._needed(repository.id, without)
            with self._database.read() as connection:
                self.outcome.links_dropped += len(unlink.unneeded_links(connection, self._scope, repository, needed))
        needed = self._needed(None, without)
        with self._database.read() as connection:
            self._count_dropped(dead_chunks.find_dead(connection, self._scope, needed))
            useless = unused_packs.useless_packs(connection, self._scope.tenant, self._scope.grace_ms)
        self.outcome.packs_deleted, self.outcome.bytes_deleted = len(useless), sum(size for _, _, size in useless)
        return self.outcome

    def _guarded(self, repository: Repository, work: Callable[[Repository], None]) -> None:
        """Work at a repository that is hosted here, unless it is in doubt what its history needs: then it is left alone, and named."""
        if repository.kind != "hosted":
            return
        self.outcome.repositories += 1
        try:
            work(repository)
        except HistoryAbsent as error:
            self._in_doubt.add(repository.id)
            with self._database.read() as connection:
                was_pushed_to = bool(mirrored_refs(connection, repository))
                holds = exists().where(chunk_links.c.repository == repository.id)
                holds_something = bool(connection.execute(select(holds)).scalar_one())
            if was_pushed_to:
                self.outcome.refused.append(error.message)
            elif holds_something:
                self.outcome.kept.append(error.message)
        except LeptonError as error:
            self._in_doubt.add(repository.id)
            self.outcome.refused.append(f"{repository.full_name}: {error.message}")

    def _look(self, repository: Repository) -> tuple[Git, Reached]:
        git = open_history(self._settings, repository)
        reached = Reached(git)
        reached.follow(settled_refs(self._database, repository, git).values())
        if missing := not_stored(self._database, repository, reached.pointers):
            self._in_doubt.add(repository.id)
            first = next(iter(missing.values())).oid
            told = f"{len(missing)} files that its refs reach are not stored, the first is {first}"
            self.outcome.in_doubt.append(f"{repository.full_name}: {told}")
        return git, reached

    def _candidates(self, repository: Repository, reached: Reached) -> dict[bytes, int]:
        with self._database.read() as connection:
            return unlink.unneeded_objects(connection, repository, reached.oids, self._scope.grace_ms)

    def _unlink(self, repository: Repository) -> None:
        git, reached = self._look(repository)
        candidates = iter(self._candidates(repository, reached))
        while batch := list(islice(candidates, _OBJECTS_AT_ONCE)):
            self._count_objects(self._unlink_batch(repository, git, reached, batch))

    def _unlink_batch(self, repository: Repository, git: Git, reached: Reached, batch: list[bytes]) -> dict[bytes, int]:
        """Unlink, while no ref moves, those of these objects that still no ref reaches; their sizes in bytes by oid."""
        with quiet_refs(self._database, self._settings, repository):
            refs = settled_refs(self._database, repository, git)
            reached.follow(refs.values())
            with self._database.write() as connection:
                if mirrored_refs(connection, repository) != refs:
                    raise RefsDiffer(f"refs of {repository.full_name} moved where none should", "Run gc again.")
                loose = [oid for oid in batch if oid not in reached.oids]
                return unlink.unlink_objects(connection, repository, loose, self._scope.grace_ms)

    def _needed(self, repository: int | None = None, without: Collection[tuple[int, bytes]] = frozenset()) -> Needed:
        needed = Needed(self._scope.tenant, repository, without)
        with self._database.read() as connection:
            needed.update(connection)
            needed.add_bases(connection)
        return needed

    def _count_objects(self, objects: Mapping[bytes, int]) -> None:
        self.outcome.objects_unlinked += len(objects)
        self.outcome.object_bytes += sum(objects.values())

    def _count_dropped(self, dead: Mapping[bytes, Space]) -> None:
        self.outcome.dropped_chunks += len(dead)
        self.outcome.dropped_bytes += sum(space.size for space in dead.values())


def delete_strays(database: Database, store: ObjectStore, settings: ServerSettings, grace_ms: int, done: Collected) -> None:
    """End a run over all repositories: delete what lies in the storage and the database does not know of, unless there is any doubt
    that it knows all that there is."""
    if unknown := unknown_histories(database, settings):
        named = ", ".join(unknown[:_NAMED])
        done.in_doubt.append(f"{len(unknown)} git repositories are not known to the database: {named}")
    if not done.in_doubt and not done.refused:
        done.files_deleted = unused_packs.delete_stray_files(database, store, grace_ms)
        journal.forget_old(database, store)


def adopt_refs(database: Database, settings: ServerSettings, repository: Repository) -> None:
    """Make the mirror of a repository's refs say what git has, since the operator says that git is right. Raises HistoryAbsent, or Refusal
    where the folder is marked as another's."""
    git = open_history(settings, repository)
    with quiet_refs(database, settings, repository), database.write() as connection:
        folder_marks.adopt(connection, settings, repository)
        replace_refs(connection, repository, refs_of(git))
        audit_log.note(connection, None, "refs.adopt", repository=repository.full_name)


def note_run(database: Database, done: Collected) -> None:
    """Put a run into the audit log."""
    with database.write() as connection:
        audit_log.note(connection, None, "gc.run", **asdict(done))
        maintenance_runs.note(connection, "gc")


def check(done: Collected) -> None:
    """Raises HistoryInDoubt where something was left alone that should not have been."""
    if done.refused:
        raise HistoryInDoubt(
            f"{len(done.refused)} repositories were left alone, since it is in doubt what their history needs: {done.refused[0]}",
            "Check --git; if the refs are right as git has them: lepton-server gc --adopt-refs OWNER/REPO",
        )
    if done.in_doubt:
        raise HistoryInDoubt(
            f"what the database does not know of was left in the storage, since it may be needed: {done.in_doubt[0]}",
            "lepton-server scrub says what is missing, and what brings it back.",
        )
