"""Evidence between a client and a real server, and what is not believed of a server that says something else."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from git_lepton.evidence.record import Metric, Record, record_name
from git_lepton.transfer.evidence import EvidenceRefused, EvidenceStore, ServerKeepsNoEvidence
from git_lepton.transfer.http.connection import Connection
from git_lepton.transfer.http.retries import Patience
from git_lepton.transfer.remote_store import BadAnswer, RemoteStore
from git_lepton.wire.evidence import FoundRecord
from tests.transfer.scripted_server import Answer, Request, ScriptedServer

MODEL, EVALUATION = "1" * 64, "3" * 64
RUN = Record("m", MODEL, "eval", EVALUATION, {"accuracy": Metric(0.5)}, made="2026-12-01T12:00:00Z")
NAME = record_name(RUN.encode())
FOUND = FoundRecord(NAME, "self", "ada", 1, MODEL, EVALUATION, "0" * 64)
QUICK = Patience(total_s=0, first_contact_s=0, fewest_attempts=1, internal_errors=1)


def store(server: ScriptedServer) -> EvidenceStore:
    return EvidenceStore(RemoteStore(Connection(server.url, patience=QUICK), "ada/models"))


def pages(*answers: tuple[Sequence[FoundRecord], int | None]) -> list[Answer]:
    told = [{"records": [vars(found) for found in records], "next": after} for records, after in answers]
    return [Answer(200, json.dumps(page).encode()) for page in told]


def test_pages_are_asked_for_to_the_end_and_nothing_else_is_believed() -> None:
    second = replace(FOUND, name="b" * 64, trust="ci")
    strange = [replace(FOUND, model="2" * 64), replace(FOUND, trust="root"), replace(FOUND, name="../" * 20)]
    answers = iter(pages(([FOUND, *strange], 7), ([second], None)))
    asked: list[dict[str, object]] = []

    def answer(request: Request) -> Answer:
        asked.append(json.loads(request.body))
        return next(answers)

    with ScriptedServer(answer) as server:
        assert store(server).find([MODEL], [EVALUATION]) == [FOUND, second]
    assert asked == [{"models": [MODEL], "evaluations": [EVALUATION], "after": after} for after in (0, 7)]


def test_an_answer_that_leads_nowhere_is_left() -> None:
    with ScriptedServer(lambda _: pages(([], 0))[0]) as server, pytest.raises(BadAnswer, match="without an end"):
        store(server).find([MODEL])


@pytest.mark.parametrize("found", [replace(FOUND, name="b" * 64), replace(FOUND, model="2" * 64)])
def test_a_record_is_what_it_is_called_and_about_what_was_asked_for(found: FoundRecord) -> None:
    with ScriptedServer(lambda _: Answer(200, RUN.encode())) as server:
        assert store(server).read(FOUND).record == RUN
        with pytest.raises(BadAnswer):
            store(server).read(found)


def test_an_old_server_is_said_to_be_one() -> None:
    absent = json.dumps({"error": {"code": "not_found", "message": "No.", "hint": "", "request": ""}}).encode()
    there = {
        "name": "ada/models",
        "kind": "hosted",
        "visibility": "private",
        "role": "owner",
        "codecs": [0],
        "default_branch": None,
    }

    def answer(request: Request) -> Answer:
        return Answer(404, absent) if "evidence" in request.path else Answer(200, json.dumps(there).encode())

    with ScriptedServer(answer) as server:
        with pytest.raises(ServerKeepsNoEvidence, match="keeps no evidence"):
            store(server).find([MODEL])
        with pytest.raises(ServerKeepsNoEvidence):
            store(server).send(RUN.encode())


def test_what_is_refused_is_refused_in_the_servers_words() -> None:
    refused = {"error": {"code": "bad_request", "message": "A waiver is none.", "hint": "", "request": ""}}
    answered = ScriptedServer(lambda _: Answer(400, json.dumps(refused).encode()))
    with answered as server, pytest.raises(EvidenceRefused, match="A waiver is none"):
        store(server).send(RUN.encode())
