"""Weights that HEAD names and nobody has: neither this clone nor the store of any of its remotes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from git_lepton.errors import LeptonError
from git_lepton.format.pointer import Pointer
from git_lepton.git.promised import bring_small_files
from git_lepton.settings.location import NoStore, StoreLocation
from git_lepton.workflow.sync.fetch import lacking, pointers_of
from git_lepton.workspace import Workspace


@dataclass(frozen=True)
class Lost:
    """`paths`: whose weights are nowhere, and what a store says of why ("" where it says nothing). `doubt`: a store that could not be
    asked, and may have them."""

    paths: dict[str, str] = field(default_factory=dict)
    doubt: LeptonError | None = None


def find_lost(workspace: Workspace) -> Lost:
    """Look for what HEAD names here, and ask each store once for what is not. Nothing is brought. Raises NotBrought."""
    git = workspace.git
    commit = git.rev_parse("HEAD")
    if commit is None:
        return Lost()
    bring_small_files(git, [commit], history=False)
    named = dict(pointers_of(git, [commit], unreadable={}))
    left = lacking(workspace.store, named) if named else []
    gone: dict[Pointer, str] = {}
    doubt: LeptonError | None = None
    for remote in _remotes(workspace) if left else ():
        try:
            stored = workspace.stored(left, remote)
            left = [pointer for pointer in left if pointer.oid not in stored]
            taken = workspace.taken_away(left, remote) if left else {}
        except LeptonError as error:
            doubt = doubt or error
            continue
        gone |= {pointer: taken[pointer.oid].message for pointer in left if pointer.oid in taken}
    return Lost({named[pointer]: gone.get(pointer, "") for pointer in left}, doubt)


def _remotes(workspace: Workspace) -> Iterator[str | None]:
    """The remote that git would use and all others, one for each store."""
    seen: set[StoreLocation] = set()
    for remote in (None, *workspace.settings.config.subsections("remote")):
        try:
            location = workspace.settings.store_location(remote)
        except NoStore:
            continue
        except LeptonError:  # asking it says why
            yield remote
            continue
        if location not in seen:
            seen.add(location)
            yield remote
