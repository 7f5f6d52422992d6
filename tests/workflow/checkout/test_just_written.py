"""A file that was written a moment ago is not named again, and one that changed since is never taken for it."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import xxhash

from git_lepton.format.identifiers import ObjectId
from git_lepton.format.pointer import Pointer
from git_lepton.workflow.checkout.just_written import VARIABLE, ChangedSince, JustWritten, confirm, listed, read_list
from tests.support.git_sandbox import GitSandbox

DATA = bytes(range(256)) * 9000
FILE = JustWritten(Pointer(ObjectId(bytes(32)), len(DATA)), xxhash.xxh3_128(DATA).hexdigest())


def test_a_list_comes_back_and_goes_away(tmp_path: Path) -> None:
    files = {"a b.bin": FILE, "ä/\n": FILE}
    with listed(files, tmp_path / "lists") as variables:
        assert read_list(variables[VARIABLE]) == files
    assert read_list(variables[VARIABLE]) == {}
    assert list((tmp_path / "lists").iterdir()) == []


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1}', '{"a": ["sha256:00", 1, "x"]}', '{"a": [1, 2, 3]}', "null"])
def test_a_list_that_is_none_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "list").write_text(text)
    assert read_list(str(tmp_path / "list")) == {}


def test_the_same_bytes_are_the_pointer() -> None:
    assert confirm(FILE, io.BytesIO(DATA)) == FILE.pointer.encode()


@pytest.mark.parametrize("data", [DATA[:-1], DATA + b"x", DATA[:-1] + b"x", b""])
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ChangedSince):
        confirm(FILE, io.BytesIO(data))


def test_a_list_that_lies_changes_nothing_in_git(tmp_path: Path) -> None:
    sandbox = GitSandbox.create(tmp_path / "work")
    sandbox.write("a.bin", DATA)
    sandbox.git("add", ".")
    sandbox.git("commit", "-qm", "one")
    sandbox.write("a.bin", DATA[::-1])
    with listed({"a.bin": FILE}, tmp_path / "lists") as variables:
        added = sandbox.run("add", "a.bin", environment=variables)
    assert added.returncode != 0
    assert b"changed since" in added.stderr
    assert sandbox.git("status", "--porcelain") == " M a.bin\n"
