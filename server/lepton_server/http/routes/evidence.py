"""Evidence about commits and versions of models (docs/wire-protocol.md, section 8)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from git_lepton.evidence.record import MAX_RECORD_BYTES
from git_lepton.wire.collaboration import EvidenceList, EvidenceRecord, NewEvidence
from git_lepton.wire.evidence import FoundEvidence, KeptRecord, WantedEvidence
from git_lepton.wire.protocol import API, BINARY
from lepton_server.http.dependencies import (
    EvidenceRepository,
    MessageRoute,
    ReadableRepository,
    RequiredCaller,
    binary_answer,
    binary_body,
    limited_body,
)
from lepton_server.http.state import ServicesDep
from lepton_server.protection import commit_checks, model_evidence

router = APIRouter(prefix=f"{API}/repositories/{{owner}}/{{name}}/evidence", tags=["evidence"], route_class=MessageRoute)
_MODEL_DIGITS = 64
_FOR_EVER = "private, max-age=31536000, immutable"


@router.get("")
def list_evidence(repository: ReadableRepository, services: ServicesDep, subject: Annotated[str, Query()]) -> EvidenceList:
    """What checks said of one commit, or what is kept about one version of a model; the last first."""
    of = model_evidence.listed if len(subject) == _MODEL_DIGITS else commit_checks.records_of
    with services.database.read() as connection:
        return EvidenceList(of(connection, repository, subject))


@router.post("", status_code=201)
def record_evidence(
    repository: EvidenceRepository, caller: RequiredCaller, services: ServicesDep, asked: NewEvidence
) -> EvidenceRecord:
    """Add what a check said of a commit."""
    with services.database.write() as connection:
        return commit_checks.record(connection, caller, repository, asked.subject, asked.check, asked.outcome, asked.detail)


@router.post("/find")
def find_evidence(repository: ReadableRepository, services: ServicesDep, asked: WantedEvidence) -> FoundEvidence:
    """Name the records about some versions of models."""
    with services.database.read() as connection:
        return model_evidence.find(connection, repository, asked.models, asked.evaluations, asked.after)


@router.put(
    "/records/{record}",
    status_code=201,
    openapi_extra=binary_body("the record, in canonical form"),
    responses={200: {"description": "it is kept already", "model": KeptRecord}},
)
def keep_record(
    record: str,
    repository: EvidenceRepository,
    caller: RequiredCaller,
    services: ServicesDep,
    response: Response,
    body: Annotated[bytes, Depends(limited_body(lambda _: MAX_RECORD_BYTES))],
) -> KeptRecord:
    """Keep a record of an evaluation of a version of a model."""
    found = model_evidence.checked(record, body)
    with services.database.write() as connection:
        if not model_evidence.keep(connection, caller, repository, body, found, model_evidence.trust_of(caller)):
            response.status_code = 200
        return KeptRecord(record, model_evidence.trust_in(connection, repository, record))


@router.get("/records/{record}", response_class=Response, responses=binary_answer("the record, in canonical form"))
def read_record(record: str, repository: ReadableRepository, services: ServicesDep, request: Request) -> Response:
    """A record, as it was sent."""
    with services.database.read() as connection:
        data = model_evidence.read(connection, repository, record)
    head = {"ETag": f'"{record}"', "Cache-Control": _FOR_EVER}
    if request.headers.get("if-none-match") == head["ETag"]:
        return Response(status_code=304, headers=head)
    return Response(data, headers=head, media_type=BINARY)
