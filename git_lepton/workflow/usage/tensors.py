"""Usage by tensors: what groups of them take in one version: all layers' query weights together, all of an optimizer's second moments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from git_lepton.format.layout import Region
from git_lepton.format.manifest import Manifest, ManifestEntry
from git_lepton.store.accounting import Account, Bill
from git_lepton.store.local_store import LocalStore
from git_lepton.workflow.bases.stored_tensors import UNREADABLE, tensors_of
from git_lepton.workflow.usage.versions import pointers_of
from git_lepton.workspace import Workspace

BETWEEN = "(headers and files without tensors)"
SMALL = "(small tensors that share chunks)"
_NUMBER = re.compile(r"(?<![^._/-])\d+(?![^._/-])")  # a whole part of a name


@dataclass
class GroupCost:
    """Tensors whose names differ in numbers only (`group` has `*` for these), how many, of which dtypes, and what they take that
    no tensor before them takes."""

    group: str
    tensors: int
    elements: tuple[str, ...]
    bill: Bill


def tensor_costs(workspace: Workspace, revision: str = "HEAD") -> list[GroupCost]:
    """The groups of all files of a version that are here, in file order. Raises CorruptData."""
    store = workspace.store
    store.refresh()
    account, groups = Account(store), dict[str, GroupCost]()
    for _, pointer in pointers_of(workspace, revision):
        manifest = store.manifest(pointer.oid)
        if manifest is not None and not store.missing(entry.chunk for entry in manifest.entries):
            for region, entries in _by_region(store, manifest):
                _add(groups, region, account.charge(entries))
    return list(groups.values())


def _add(groups: dict[str, GroupCost], region: Region | None, bill: Bill) -> None:
    if region is None:
        name = BETWEEN
    elif region.tensors > 1:
        name = SMALL
    else:
        name = _NUMBER.sub("*", region.name) or "(tensors without a name)"
    group = groups.setdefault(name, GroupCost(name, 0, (), Bill()))
    group.bill += bill
    if region:
        group.tensors += region.tensors
        if region.element not in group.elements:
            group.elements += (region.element,)


def _by_region(store: LocalStore, manifest: Manifest) -> Iterator[tuple[Region | None, list[ManifestEntry]]]:
    """The chunks of each tensor, and (None) those between tensors."""
    position, entries = 0, iter(manifest.entries)
    for start, region in _tensors(store, manifest):
        between: list[ManifestEntry] = []
        while position < start:
            between.append(next(entries))
            position += between[-1].length
        yield None, between
        own: list[ManifestEntry] = []
        while position < min(start + region.length, manifest.size):
            own.append(next(entries))
            position += own[-1].length
        yield region, own
    yield None, list(entries)


def _tensors(store: LocalStore, manifest: Manifest) -> list[tuple[int, Region]]:
    try:
        return list(tensors_of(store, manifest))
    except UNREADABLE:  # fsck tells what is wrong; the bill is of what can be told apart
        return []
