"""Compares what there is in three places that only together are a server: git's refs, the database, and the packs in the storage."""

from __future__ import annotations

from dataclasses import dataclass, field

from git_lepton.errors import LeptonError
from lepton_server.content import journal
from lepton_server.database.transactions import Database
from lepton_server.git.history import HistoryAbsent
from lepton_server.maintenance.adopt import Adopted, Adopter
from lepton_server.maintenance.gc import adopt_refs
from lepton_server.maintenance.losses import Loss
from lepton_server.maintenance.reached_weights import doubts, missing_weights, unknown_histories
from lepton_server.repositories import registry
from lepton_server.repositories.registry import Repository
from lepton_server.settings import ServerSettings
from lepton_server.storage.object_store import ObjectStore


@dataclass
class Compared:
    """`missing` are weights that refs reach and that are not stored; `doubts` say where the three do not fit each other."""

    missing: list[Loss] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)


def compare(database: Database, store: ObjectStore, settings: ServerSettings) -> Compared:
    """Look at every hosted repository, and at the journal beside the packs."""
    found = Compared()
    if journal.compare(database, store):
        found.doubts.append(journal.OLDER)
    for repository in _hosted(database):
        found.doubts += doubts(database, settings, repository)
        try:
            found.missing += missing_weights(database, settings, repository)
        except HistoryAbsent:
            continue  # a doubt where something was pushed to it
        except LeptonError as error:
            found.doubts.append(f"{repository.full_name}: {error.message}")
    found.doubts += [
        f"the git repository {folder} is not known to the database" for folder in unknown_histories(database, settings)
    ]
    return found


def adopt(database: Database, store: ObjectStore, settings: ServerSettings) -> Adopted:
    """Read packs back in. Where the database was older than they are, it then follows git's refs, wherever all that these reach is stored;
    it counts as older no more once nothing is left to be told."""
    older = journal.compare(database, store)
    done = Adopter(database, store, settings.decoders).run(older.number if older else 0)
    if older is None:
        return done
    for repository in _hosted(database):
        if doubts(database, settings, repository) and _is_whole(database, settings, repository):
            adopt_refs(database, settings, repository)
    if not done.left and not compare(database, store, settings).missing:
        with database.write() as connection:
            journal.settle(connection)
    return done


def _is_whole(database: Database, settings: ServerSettings, repository: Repository) -> bool:
    try:
        return not missing_weights(database, settings, repository)
    except LeptonError:
        return False


def _hosted(database: Database) -> list[Repository]:
    with database.read() as connection:
        return [one for one in registry.all_of_server(connection) if one.kind == "hosted"]
