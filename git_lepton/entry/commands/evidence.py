"""`git lepton evidence add|list`, and push|fetch (evidence_sharing)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from git_lepton.entry.moments import moment
from git_lepton.entry.server_commands import Subject, line
from git_lepton.entry.terminal import say
from git_lepton.wire.collaboration import EvidenceRecord, NewEvidence

if TYPE_CHECKING:
    import argparse

    from git_lepton.workflow.collaboration.administration import Opened


def main(arguments: Sequence[str]) -> int:
    """What checks said of a commit, which rules of branches ask for."""
    if arguments[:1] in (["push"], ["fetch"]):
        from git_lepton.entry.commands.evidence_sharing import main as share

        return share(arguments)
    subject = Subject("evidence", "What checks said of a commit: rules of branches can ask that some have passed.")
    add = subject.add("add", "record what a check said of a commit, as a writer with a token for evidence", _add, _added)
    listing = subject.add(
        "list", "list what is on record for a commit or a version of a model, the last record first", _list, _show
    )
    name = "a commit's full object name, as git rev-parse HEAD prints it"
    for command, about in ((add, name), (listing, f"{name}, or the digest of a version of a model")):
        command.add_argument("repository", metavar="OWNER/REPO")
        command.add_argument("commit", metavar="SUBJECT" if command is listing else "COMMIT", help=about)
    add.add_argument("check", metavar="CHECK", help="the name of the check, as rules have it")
    add.add_argument("outcome", choices=("passed", "failed"))
    add.add_argument("--detail", default="", metavar="TEXT", help="a sentence about the result")
    return subject.run(arguments)


def _add(opened: Opened, options: argparse.Namespace) -> EvidenceRecord:
    record = NewEvidence(options.commit, options.check, options.outcome, options.detail)
    return opened.server.vouch(options.repository, record)


def _added(record: EvidenceRecord) -> None:
    say(f"{record.check} {record.outcome} is on record for {record.subject[:12]}")


def _list(opened: Opened, options: argparse.Namespace) -> list[EvidenceRecord]:
    return opened.server.evidence(options.repository, options.commit)


def _show(found: list[EvidenceRecord]) -> None:
    for record in found:
        line(record.check, record.outcome, f"by {record.by}", moment(record.at), record.detail)
