"""The check of pickles: what runs code is named, what rebuilds tensors passes, and nothing is ever unpickled."""

from __future__ import annotations

import bz2
import collections
import gzip
import io
import lzma
import pickle
import pickletools
import zipfile
from pathlib import Path

import numpy as np
import pytest

from lepton_hooks.check import CheckedFile, Finding, Outcome
from lepton_hooks.checks.pickles import PicklesCheck

CANARY = "canary"


class Calls:
    """Pickles to a call of this function."""

    def __init__(self, function: object, *arguments: object) -> None:
        self._call = (function, arguments)

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self._call


def look(folder: Path, data: bytes, name: str = "model.pkl", allowed: tuple[str, ...] = ()) -> Finding:
    path = folder / name
    path.write_bytes(data)
    return PicklesCheck(allowed).look(CheckedFile(name, None, path))


def dangerous(protocol: int = 2) -> bytes:
    import os

    return pickle.dumps({"weights": Calls(os.system, f"touch {CANARY}")}, protocol)


def torch_zip(inside: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", inside)
        archive.writestr("archive/data/0", b"\0" * 400)
    return file.getvalue()


def object_array(inside: bytes) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": (1,)})
    return file.getvalue() + inside


@pytest.mark.parametrize("protocol", range(6))
def test_a_call_of_the_system_is_named_in_every_protocol(tmp_path: Path, protocol: int) -> None:
    finding = look(tmp_path, dangerous(protocol))
    assert finding.outcome is Outcome.FAILED
    assert "posix.system" in finding.sentence or "nt.system" in finding.sentence
    assert not Path(CANARY).exists()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("model.pt", torch_zip(dangerous())),
        ("model.pkl.gz", gzip.compress(dangerous())),
        ("model.pkl.bz2", bz2.compress(dangerous())),
        ("model.pkl.xz", lzma.compress(dangerous())),
        ("array.npy", object_array(dangerous())),
        ("several.bin", pickle.dumps([1, 2]) + dangerous()),
        ("innocent.bin", dangerous()),
    ],
    ids=["zip", "gz", "bz2", "xz", "npy", "second", "suffix"],
)
def test_wherever_it_lies_it_is_found(tmp_path: Path, name: str, data: bytes) -> None:
    assert PicklesCheck().wants(name)
    finding = look(tmp_path, data, name)
    assert (finding.outcome, "system" in finding.sentence) == (Outcome.FAILED, True)


@pytest.mark.parametrize(
    "body",
    [
        b"c__builtin__\neval\n(S'1'\ntR.",
        b"cbuiltins\nexec\n(S'1'\ntR.",
        b"(S'ls'\nios\nsystem\n.",
        b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94\x93\x8c\x02ls\x94\x85R.",
        b"\x80\x04\x8c\x02os\x940\x8c\x06system\x940h\x00h\x01\x93\x8c\x02ls\x85R.",
        b"\x80\x02cfunctools\npartial\n(tR.",
        b"\x80\x02cimportlib\nimport_module\nX\x02\x00\x00\x00os\x85R.",
        b"\x80\x02coperator\nattrgetter\nX\x06\x00\x00\x00system\x85R.",
        b"\x80\x02crunpy\n_run_code\n(tR.",
        b"\x80\x02cnumpy.testing._private.utils\nrunstring\n(tR.",
        b"\x80\x02ctorch.hub\nload\n(tR.",
        b"\x80\x02\x82\x01.",
    ],
)
def test_ways_to_the_system_are_dangerous(tmp_path: Path, body: bytes) -> None:
    finding = look(tmp_path, body)
    assert (finding.outcome, "would call" in finding.sentence) == (Outcome.FAILED, True)


@pytest.mark.parametrize(
    "body",
    [
        dangerous()[:-20],
        b"\x80\x02]",
        b"\x80\x04\x8c\x02os\x94K\x01\x93.",
        b"\x80\x02h\x05.",
        b"\x80\x02N\x81\x81\x81.",
        b"\x80\x02" + b"(" * 50 + b"t" * 60 + b".",
    ],
)
def test_what_cannot_be_followed_is_refused(tmp_path: Path, body: bytes) -> None:
    finding = look(tmp_path, body)
    assert (finding.outcome, "cannot be followed" in finding.sentence) == (Outcome.FAILED, True)


def test_a_name_that_is_not_known_is_refused_until_somebody_vouches_for_it(tmp_path: Path) -> None:
    body = b"\x80\x02cmypackage.models\nNet\n)\x81."
    finding = look(tmp_path, body)
    assert (finding.outcome, "mypackage.models.Net" in finding.sentence) == (Outcome.FAILED, True)
    assert look(tmp_path, body, allowed=("mypackage.*",)).outcome is Outcome.PASSED
    assert look(tmp_path, b"\x80\x02cmypackagex\nNet\n)\x81.", allowed=("mypackage.*",)).outcome is Outcome.FAILED


def test_containers_and_arrays_pass(tmp_path: Path) -> None:
    values = {"list": [1, 2.5, "text", b"bytes", None, True], "set": {1}, "ordered": collections.OrderedDict(a=1)}
    for protocol in range(6):
        assert look(tmp_path, pickle.dumps(values, protocol)).outcome is Outcome.PASSED
        assert look(tmp_path, pickle.dumps(np.arange(6.0).reshape(2, 3), protocol)).outcome is Outcome.PASSED
    assert look(tmp_path, pickletools.optimize(pickle.dumps(values))).outcome is Outcome.PASSED


@pytest.mark.thorough
def test_what_torch_saves_passes(tmp_path: Path) -> None:
    import torch

    state = {"a.weight": torch.zeros(3, 4), "b": torch.ones(2, dtype=torch.bfloat16), "c": torch.nn.Parameter(torch.zeros(2))}
    for zipped in (True, False):
        path = tmp_path / f"state-{zipped}.pt"
        torch.save(state, path, _use_new_zipfile_serialization=zipped)
        finding = PicklesCheck().look(CheckedFile(path.name, None, path))
        assert finding.outcome is Outcome.PASSED, finding


def test_what_is_no_pickle_is_skipped(tmp_path: Path) -> None:
    file = io.BytesIO()
    np.save(file, np.arange(3.0))
    for name, data in {"a.bin": b"\0" * 100, "b.npy": file.getvalue(), "c.pt": b"", "d.zip": torch_zip(b"text")}.items():
        assert look(tmp_path, data, name).outcome is Outcome.SKIPPED, name
    assert not PicklesCheck().wants("model.safetensors")


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    whole = torch_zip(dangerous())
    assert look(tmp_path, whole[:60], "model.pt").outcome is Outcome.FAILED
