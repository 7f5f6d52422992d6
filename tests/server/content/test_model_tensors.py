"""Tensors of stored files, as the server names them, are those that the file's bytes have."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from git_lepton.errors import WeightsMissing
from git_lepton.evidence.identity import Tensor
from git_lepton.format.identifiers import ChunkId
from lepton_server import backends
from lepton_server.content import model_tensors
from lepton_server.content.model_tensors import ModelTensors, TooMuchToName
from lepton_server.repositories import registry
from lepton_server.repositories.registry import Repository
from tests.server.weights_client import Weights, WeightsClient, weights
from tests.support.running_server import RunningServer

A, B = bytes(range(64)), bytes(64)
HEADER = json.dumps(
    {
        "a": {"dtype": "F32", "shape": [16], "data_offsets": [0, 64]},
        "b": {"dtype": "F32", "shape": [4, 4], "data_offsets": [64, 128]},
    }
).encode()
HEAD = len(HEADER).to_bytes(8, "little") + HEADER
EXPECTED = (
    Tensor("a", "F32", (16,), 64, (ChunkId.of(A).raw,)),
    Tensor("b", "F32", (4, 4), 64, (ChunkId.of(B).raw,)),
)


@pytest.fixture
def push(server: RunningServer) -> Callable[[Weights, str], Repository]:
    def pushed(file: Weights, name: str) -> Repository:
        with WeightsClient(server.url, server.admin_token, f"admin/{name}") as client:
            assert client.upload(file)["state"] == "done"
        with server.looking_into() as connection:
            found = registry.find(connection, "admin", name)
        assert found is not None
        return found

    return pushed


@pytest.fixture
def tensors(server: RunningServer) -> Iterator[ModelTensors]:
    with backends.opened(server.settings) as database:
        named = ModelTensors(database, backends.open_store(server.settings, database))
        yield named
        named.close()


def test_tensors_that_share_chunks_are_named_by_their_bytes(
    push: Callable[[Weights, str], Repository], tensors: ModelTensors
) -> None:
    other = bytes(reversed(A))  # content that is stored in this cutting alone: the first manifest of a file stands
    file = weights(HEAD + A[:5], A[5:] + other)
    named = (EXPECTED[0], EXPECTED[1]._replace(pieces=(ChunkId.of(other).raw,)))
    repository = push(file, "m")
    assert tensors.of(repository, file.oid.raw) == tensors.of(repository, file.oid.raw) == named


def test_only_who_holds_a_file_is_told(push: Callable[[Weights, str], Repository], tensors: ModelTensors) -> None:
    file, other = weights(HEAD, A, B), weights(b"no weights")
    assert tensors.of(push(file, "m"), file.oid.raw) == EXPECTED
    elsewhere = push(other, "other")
    assert tensors.of(elsewhere, other.oid.raw) is None
    with pytest.raises(WeightsMissing):
        tensors.of(elsewhere, file.oid.raw)


def test_naming_reads_no_more_than_it_may(
    push: Callable[[Weights, str], Repository], tensors: ModelTensors, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = weights(HEAD, B[:5], B[5:] + A)  # content that no other test stores
    repository = push(file, "m")
    monkeypatch.setattr(model_tensors, "MAX_READ_BYTES", len(HEAD))
    with pytest.raises(TooMuchToName):
        tensors.of(repository, file.oid.raw)
