"""Evidence of versions of models on the server of a repository: found, read and sent, as docs/wire-protocol.md, section 8 has it.

What comes is believed no further than it can be checked: a record is what its name says, and of the version that was asked about. How
far a record is trusted is the server's word.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable
from typing import Any

from git_lepton.errors import NetworkTrouble, NotAllowed
from git_lepton.evidence.pooling import TRUST, Run
from git_lepton.evidence.record import MAX_RECORD_BYTES, Record, parse_record, record_name
from git_lepton.format.visible import visible
from git_lepton.transfer.http.bodies import Reply
from git_lepton.transfer.http.refusals import NotFound, ServerRefused
from git_lepton.transfer.remote_store import BadAnswer, RemoteStore
from git_lepton.wire import protocol
from git_lepton.wire.evidence import MAX_ASKED, FoundEvidence, FoundRecord, KeptRecord, WantedEvidence
from git_lepton.wire.messages import to_json

_HEX = re.compile(r"[0-9a-f]{64}")
_MOST_FOUND = 1_000_000  # records, of all answers to one question


class ServerKeepsNoEvidence(NetworkTrouble):
    """The server is from before evidence of versions of models."""


class EvidenceRefused(NotAllowed):
    """The server does not take this record."""


class EvidenceStore:
    """The evidence of the repository of `remote`. Methods raise LeptonErrors as those of RemoteStore do, and ServerKeepsNoEvidence."""

    def __init__(self, remote: RemoteStore) -> None:
        self._remote = remote

    def find(self, models: Iterable[str], evaluations: Iterable[str] = ()) -> list[FoundRecord]:
        """The records about these versions by these evaluations (none: by any), digests in hex."""
        versions, by = sorted(set(models)), sorted(set(evaluations))
        found: list[FoundRecord] = []
        for start in range(0, len(versions), MAX_ASKED):
            some = versions[start : start + MAX_ASKED]
            for first in range(0, max(len(by), 1), MAX_ASKED):
                found += self._find(some, by[first : first + MAX_ASKED])
        return found

    def known(self, models: Iterable[str]) -> set[str]:
        """The names of the records that the server has about these versions: they need not be sent."""
        return {found.name for found in self.find(models)}

    def read(self, found: FoundRecord) -> Run:
        """A record that was found, with the trust that the server says. Raises NotFound, BadAnswer."""
        data = self._ask("GET", "records", found.name, most=MAX_RECORD_BYTES).body
        if record_name(data) != found.name:
            raise BadAnswer(f"{self._remote.connection.host} sent other bytes than the record {found.name[:12]}")
        record = parse_record(data)
        if not isinstance(record, Record) or record.key != (found.model, found.evaluation):
            raise BadAnswer(f"{self._remote.connection.host} sent a record that is not about what was asked for")
        return Run(found.name, record, found.trust)

    def send(self, data: bytes) -> KeptRecord:
        """Have the server keep a record of an evaluation, in canonical form. Raises EvidenceRefused, Forbidden."""
        return self._ask("PUT", "records", record_name(data), body=data, kind=protocol.BINARY).message(KeptRecord)

    def _find(self, models: list[str], evaluations: list[str]) -> list[FoundRecord]:
        found: list[FoundRecord] = []
        versions, by = frozenset(models), frozenset(evaluations)
        after: int | None = 0
        while after is not None:
            wanted = WantedEvidence(models, evaluations, after)
            answer = self._ask("POST", "find", message=wanted, most=protocol.MAX_LIST_BYTES).message(FoundEvidence)
            found += [record for record in answer.records if _is_answer(record, versions, by)]
            if (answer.next is not None and answer.next <= after) or len(found) > _MOST_FOUND:
                raise BadAnswer(f"{self._remote.connection.host} names evidence without an end")
            after = answer.next
        return found

    def _ask(
        self,
        method: str,
        *parts: str,
        message: Any = None,
        body: bytes = b"",
        kind: str = "",
        most: int = protocol.MAX_MESSAGE_BYTES,
    ) -> Reply:
        if message is not None:
            body, kind = json.dumps(to_json(message)).encode(), "application/json"
        path = protocol.repository_path(self._remote.repository, "evidence", *parts)
        about = f"evidence of repository {self._remote.repository}"
        try:
            return self._remote.connection.request(method, path, asked=about, body=body, content_type=kind, most=most)
        except NotFound as error:
            if method == "GET":
                raise
            self._remote.information()  # raises NotFound where it is the repository that is not there
            raise ServerKeepsNoEvidence(
                f"{self._remote.connection.host} keeps no evidence of versions of models",
                "Ask whoever runs it to install a newer lepton-server.",
            ) from error
        except ServerRefused as error:
            if error.code in ("bad_request", "conflict", "corrupt_data", "too_large"):
                raise EvidenceRefused(visible(error.message), error.hint) from error
            raise


def _is_answer(record: FoundRecord, models: Collection[str], evaluations: Collection[str]) -> bool:
    """Whether it is what was asked for, and says something that we know: of anything else nothing is believed."""
    is_wanted = record.model in models and (not evaluations or record.evaluation in evaluations)
    return is_wanted and record.trust in TRUST and _HEX.fullmatch(record.name) is not None
