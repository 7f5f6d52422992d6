"""The estimate of a push: what it would send, found out without sending and without opening an upload."""

from __future__ import annotations

from dataclasses import dataclass

from git_lepton.store.accounting import Account, Bill
from git_lepton.transfer.tombstones import is_whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from git_lepton.format.identifiers import ObjectId
    from git_lepton.format.pointer import Pointer
    from git_lepton.store.local_store import LocalStore
    from git_lepton.transfer.tombstones import WeightsTakenAway


@dataclass(frozen=True)
class Parcel:
    """One object that would be sent. The bill leaves out what the store, or an object before this one, has; `here`: whether its
    weights are on this machine at all."""

    path: str
    pointer: Pointer
    bill: Bill
    here: bool


def estimate(store: LocalStore, wanted: Sequence[tuple[Pointer, str]], stored: set[ObjectId]) -> list[Parcel]:
    """What `wanted` would cost to send where `stored` of them are there already.

    At most: the store may know single chunks from elsewhere, and what it may not keep as we do is coded anew.
    """
    store.refresh()
    account = Account(store)
    for pointer, _ in wanted:
        manifest = store.manifest(pointer.oid) if pointer.oid in stored else None
        account.charge(manifest.entries if manifest else ())
    parcels = []
    for pointer, path in reversed(wanted):  # git names the newest first, which cost what the older ones lack
        if pointer.oid not in stored:
            manifest = store.manifest(pointer.oid)
            bill = account.charge(manifest.entries) if manifest else Bill(logical=pointer.size)
            parcels.append(Parcel(path, pointer, bill, manifest is not None))
    return parcels


def stays_away(store: LocalStore, taken: Mapping[ObjectId, WeightsTakenAway]) -> set[ObjectId]:
    """Of what the store took away on the record that which a push would leave so: what is not taken again, or is not whole here."""
    return {oid for oid, why in taken.items() if why.for_good or not is_whole(store, oid)}
