"""Where tracked files stand: what the commands' tests do not reach."""

from __future__ import annotations

from pathlib import Path

from git_lepton.git.repository import GitRepository
from git_lepton.transfer.taken_notes import note
from git_lepton.wire.tombstones import Tombstone
from git_lepton.workflow.sync.status import FileState, stands_as_pointer, taken_away, tracked_files, unpushed
from git_lepton.workspace import open_workspace
from tests.support.git_sandbox import GitSandbox


def test_a_sparse_checkout_is_no_missing_file(tmp_path: Path) -> None:
    sandbox = GitSandbox.create(tmp_path / "repo")
    sandbox.commit("first", {"in/a.bin": b"a" * 5000, "out/b.bin": b"b" * 5000})
    sandbox.git("sparse-checkout", "set", "in")
    states = {file.path: file.state for file in tracked_files(GitRepository(sandbox.folder))}
    assert states == {"in/a.bin": FileState.HERE, "out/b.bin": FileState.SPARSE}


def test_names_with_spaces_and_letters_of_all_kinds(tmp_path: Path) -> None:
    sandbox = GitSandbox.create(tmp_path / "repo")
    names = ["a b.bin", "ü\n.bin", 'quote".bin']
    sandbox.commit("first", {name: name.encode() * 500 for name in names})
    for name in names:
        sandbox.write(name, b"changed" * 500)
    found = tracked_files(GitRepository(sandbox.folder))
    assert {file.path: file.state for file in found} == dict.fromkeys(names, FileState.MODIFIED)


def test_an_empty_file_is_as_it_should_be_and_a_damaged_pointer_is_not(tmp_path: Path) -> None:
    sandbox = GitSandbox.create(tmp_path / "repo", filter=None)
    sandbox.commit(
        "first", {"empty.bin": b"", "bad.bin": "version git-lepton/v1\noid x\nsize 1\n", "new.bin": "version git-lepton/v9\n"}
    )
    states = {file.path: file.state for file in tracked_files(GitRepository(sandbox.folder))}
    assert states == {"empty.bin": FileState.HERE, "bad.bin": FileState.DAMAGED, "new.bin": FileState.DAMAGED}


def test_nothing_is_unpushed_before_the_first_commit(tmp_path: Path) -> None:
    sandbox = GitSandbox.create(tmp_path / "repo")
    with open_workspace(sandbox.folder) as workspace:
        assert unpushed(workspace).pointers == ()


def test_a_link_to_a_pointer_is_no_pointer(tmp_path: Path) -> None:
    sandbox = GitSandbox.create(tmp_path / "repo")
    sandbox.commit("first", {"a.bin": b"a" * 5000})
    pointer = tracked_files(GitRepository(sandbox.folder))[0].pointer
    assert pointer is not None
    text = tmp_path / "text"
    text.write_bytes(pointer.encode())
    (tmp_path / "link").symlink_to(text)
    assert stands_as_pointer(text, pointer)
    assert not stands_as_pointer(tmp_path / "link", pointer)
    assert not stands_as_pointer(tmp_path / "absent", pointer)


def test_pointers_whose_weights_were_taken_away_say_so(tmp_path: Path) -> None:
    sandbox = GitSandbox.create(tmp_path / "repo")
    sandbox.commit("first", {"gone.bin": b"a" * 5000, "not-here.bin": b"b" * 5000, "real.bin": b"c" * 5000})
    for file in tracked_files(GitRepository(sandbox.folder)):
        assert file.pointer
        if file.path != "real.bin":
            sandbox.path(file.path).write_bytes(file.pointer.encode())
    sandbox.git("add", ".")
    with open_workspace(sandbox.folder) as workspace:
        oids = {file.path: file.pointer.oid for file in tracked_files(workspace.git) if file.pointer}
        stones = {
            oids[path]: Tombstone(oids[path].hex, 5000, "purged", "it leaked", "ada", 0) for path in ("gone.bin", "real.bin")
        }
        assert taken_away(workspace, tracked_files(workspace.git)) == {}
        note(sandbox.folder / ".git" / "lepton", stones, stones)
        said = taken_away(workspace, tracked_files(workspace.git))
    assert said == {"gone.bin": "was purged on 1970-01-01 by ada: it leaked"}
