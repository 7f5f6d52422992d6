"""Brings objects from several stores, each asked for what those before it do not have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from git_lepton.errors import LeptonError, NetworkTrouble, NotAllowed, WeightsMissing
from git_lepton.store.folder_remote import FolderLacksObjects
from git_lepton.transfer.download import Downloaded, ObjectsAbsent

if TYPE_CHECKING:
    from git_lepton.format.manifest import Manifest
    from git_lepton.format.pointer import Pointer
    from git_lepton.transfer.download import Announce

Source = Callable[[Sequence["Pointer"], "Announce | None"], Downloaded]


def fetch_in_turn(sources: Sequence[tuple[str, Source]], pointers: Sequence[Pointer], announce: Announce | None) -> Downloaded:
    """Bring these objects from `sources`, stores by the names to say them by. What came before a failure stays.

    Raises what the first one raised that could not be asked at all, else ObjectsAbsent of all. `announce` hears of the manifests only
    where one store has all that is left: who waits for them takes what it was not told of for missing.
    """
    left, brought, received = list(pointers), 0, 0
    troubles: list[tuple[str, LeptonError]] = []
    for name, source in sources:
        try:
            got = source(left, _of_all(left, announce))
        except (ObjectsAbsent, FolderLacksObjects) as error:
            absent = set(error.objects)
            brought, received = brought + len(left) - len(absent), received + error.bytes_received
            left = [pointer for pointer in left if pointer.oid in absent]
            troubles.append((name, error))
        except (WeightsMissing, NetworkTrouble, NotAllowed) as error:
            troubles.append((name, error))
        else:
            return Downloaded(brought + got.objects, received + got.bytes_received)
    raise _together(left, troubles)


def _of_all(wanted: Sequence[Pointer], announce: Announce | None) -> Announce | None:
    if announce is None:
        return None
    names = {pointer.oid for pointer in wanted}

    def hear(manifests: Sequence[Manifest]) -> None:
        if names <= {manifest.oid for manifest in manifests}:
            announce(manifests)

    return hear


def _together(left: Sequence[Pointer], troubles: Sequence[tuple[str, LeptonError]]) -> LeptonError:
    """One sentence for all stores that were asked."""
    first = troubles[0][1]
    if len(troubles) == 1 or not isinstance(first, WeightsMissing):
        return first
    lacking = [name for name, error in troubles if isinstance(error, WeightsMissing)]
    gone = {
        oid: why for _, error in reversed(troubles) if isinstance(error, ObjectsAbsent) for oid, why in error.taken_away.items()
    }
    absent = [pointer.oid for pointer in left]
    error = ObjectsAbsent(absent, " and ".join(lacking), {oid: why for oid, why in gone.items() if oid in set(absent)})
    unasked = [
        f"{name} could not be asked: {error.message}." for name, error in troubles if not isinstance(error, WeightsMissing)
    ]
    error.hint = " ".join([*unasked, error.hint])
    return error
