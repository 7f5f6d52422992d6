"""Sharing of evidence with the server of a repository: what is here is sent, what is there is brought, with the server's word on trust."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from git_lepton.models.tree import Tree
from git_lepton.transfer.evidence import EvidenceStore
from git_lepton.workflow.evaluation.judging import Bench


class Shared(NamedTuple):
    """How many records travelled, and how many about these versions are now on both sides."""

    travelled: int
    known: int


def send(bench: Bench, trees: Iterable[Tree], remote: str | None = None) -> Shared:
    """Send the evidence of the models of these trees that the server has not. Raises EvidenceRefused, Forbidden, ServerKeepsNoEvidence,
    NotAServer where the store is a folder, and what transfers raise."""
    store, digests = EvidenceStore(bench.workspace.remote(remote, push=True)), _digests(bench, trees)
    there = store.known(digests)
    here = {name: data for digest in digests for name, data in bench.evidence.encoded(digest).items()}
    new = [data for name, data in here.items() if name not in there]
    for data in new:
        store.send(data)
    return Shared(len(new), len(here))


def bring(bench: Bench, trees: Iterable[Tree], remote: str | None = None) -> Shared:
    """Bring the evidence of the models of these trees that is not here, and learn how far the server trusts each record. Raises
    likewise."""
    store, digests = EvidenceStore(bench.workspace.remote(remote)), _digests(bench, trees)
    here = {name for digest in digests for name in bench.evidence.encoded(digest)}
    found, brought = store.find(digests), 0
    for one in found:
        bench.trusted[one.name] = one.trust
        if one.name not in here:
            bench.evidence.add(store.read(one).record.encode())
            brought += 1
    return Shared(brought, len(found))


def _digests(bench: Bench, trees: Iterable[Tree]) -> set[str]:
    """The versions of all models of these trees."""
    found = set()
    for tree in trees:
        for model in bench.versions.gates(tree).models.values():
            version = bench.versions.version(tree, model)
            if version is not None:
                found.add(version.digest)
    return found
