"""Evidence of versions of models over HTTP, brought by the client as people and robots do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from git_lepton.evidence.record import MAX_RECORD_BYTES, Metric, Record, record_name
from git_lepton.transfer.evidence import EvidenceStore
from git_lepton.transfer.http.connection import Connection
from git_lepton.transfer.http.credentials import CredentialChain
from git_lepton.transfer.http.hosts import host_of
from git_lepton.transfer.http.refusals import Forbidden, NotFound
from git_lepton.transfer.remote_store import RemoteStore
from git_lepton.wire.evidence import KeptRecord
from tests.server.conftest import BOTH_DATABASES
from tests.server.everybody import OWN, Everybody
from tests.support.running_server import RunningServer

pytestmark = BOTH_DATABASES
MODEL, EVALUATION = "1" * 64, "3" * 64
RUN = Record("m", MODEL, "eval", EVALUATION, {"accuracy": Metric(0.5)}, made="2026-12-01T12:00:00Z")
NAME = record_name(RUN.encode())
RECORD = f"/api/v1/repositories/{OWN}/evidence/records/{NAME}"
StoreOf = Callable[..., EvidenceStore]


@pytest.fixture
def store_of(server: RunningServer, everybody: Everybody) -> StoreOf:
    def opened(name: str, repository: str = OWN) -> EvidenceStore:
        chain = CredentialChain(token=everybody.tokens[name], token_host=host_of(server.url))
        return EvidenceStore(RemoteStore(Connection(server.url, credentials=chain), repository))

    return opened


def test_what_a_writer_brings_is_found_and_a_robot_raises_its_trust(store_of: StoreOf) -> None:
    writer, robot, reader = (store_of(name) for name in ("writer", "vouching", "reader"))
    assert writer.send(RUN.encode()) == writer.send(RUN.encode()) == KeptRecord(NAME, "self")
    assert robot.send(RUN.encode()) == writer.send(RUN.encode()) == KeptRecord(NAME, "ci")
    [found] = reader.find([MODEL, "2" * 64], [EVALUATION])
    assert (found.by, found.trust) == ("owner", "ci")  # the token is one of the owner's
    assert reader.read(found)[:2] == (NAME, RUN)
    assert reader.known([MODEL]) == {NAME} and reader.known(["2" * 64]) == set()
    with pytest.raises(Forbidden):
        reader.send(replace(RUN, seconds=1).encode())


def test_no_other_repository_knows_of_it(store_of: StoreOf) -> None:
    writer, elsewhere, outsider = store_of("writer"), store_of("owner", "acme/other"), store_of("outsider")
    writer.send(RUN.encode())
    [found] = writer.find([MODEL])
    assert elsewhere.find([MODEL]) == []
    for absent in (elsewhere, outsider):
        with pytest.raises(NotFound):
            absent.read(found)


def test_a_record_never_changes_and_is_bounded(server: RunningServer, everybody: Everybody, store_of: StoreOf) -> None:
    store_of("writer").send(RUN.encode())
    with everybody.client(server, "writer") as client:
        reply = client.get(RECORD)
        assert (reply.content, reply.headers["etag"]) == (RUN.encode(), f'"{NAME}"')
        assert "immutable" in reply.headers["cache-control"]
        assert client.get(RECORD, headers={"If-None-Match": reply.headers["etag"]}).status_code == 304
        assert client.put(RECORD, content=bytes(MAX_RECORD_BYTES + 1)).status_code == 413
        listed = client.get(f"/api/v1/repositories/{OWN}/evidence", params={"subject": MODEL}).json()["records"]
        assert [(one["check"], one["outcome"], one["detail"]) for one in listed] == [("eval", "recorded", "accuracy 0.5")]
        many = {"models": ["0" * 64] * 1001}
        assert client.post(f"/api/v1/repositories/{OWN}/evidence/find", json=many).status_code == 413
        assert client.post(f"/api/v1/repositories/{OWN}/evidence/find", json={"models": ["x"]}).status_code == 400
