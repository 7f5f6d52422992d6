"""A git pack is measured by what its objects are once inflated, before they are."""

from __future__ import annotations

import tracemalloc
import zlib
from pathlib import Path

import pytest
from dulwich.objects import Tree
from dulwich.repo import MemoryRepo

from git_lepton.transfer import git_snapshot
from git_lepton.transfer.http.refusals import AnswerTooLong
from git_lepton.transfer.pack_bounds import ensure_fits
from tests.support.git_sandbox import GitSandbox

BLOB, OFFSET_DELTA, NAME_DELTA = 3, 6, 7
MIB = 1 << 20


def number(value: int) -> bytes:
    low, rest = value & 127, value >> 7
    return bytes([low | 128]) + number(rest) if rest else bytes([low])


def head(kind: int, size: int) -> bytes:
    low, rest = size & 15, size >> 4
    return bytes([kind << 4 | low | 128]) + number(rest) if rest else bytes([kind << 4 | low])


def pack(*records: bytes) -> memoryview:
    return memoryview(b"PACK" + (2).to_bytes(4) + len(records).to_bytes(4) + b"".join(records) + bytes(20))


def blob(data: bytes, said: int | None = None) -> bytes:
    return head(BLOB, len(data) if said is None else said) + zlib.compress(data)


def test_what_git_packs_is_measured_whole(tmp_path: Path) -> None:
    sandbox = GitSandbox.create(tmp_path / "work", filter=None, track=None)
    text = "".join(f"line {line}\n" for line in range(5000))
    for change in range(3):
        sandbox.commit("a change", {"text.txt": f"{text}{change}", "empty": b""})
    names = sandbox.git("rev-list", "--objects", "--all", "--no-object-names")
    sizes = sandbox.git("cat-file", "--batch-check=%(objectsize)", stdin=names.encode())
    sandbox.git("repack", "-q", "-a", "-d", "-f")
    (file,) = (tmp_path / "work" / ".git" / "objects" / "pack").glob("*.pack")
    whole, count = sum(map(int, sizes.split())), len(names.split())
    ensure_fits(memoryview(file.read_bytes()), whole + count * 2048, 20)
    with pytest.raises(AnswerTooLong):
        ensure_fits(memoryview(file.read_bytes()), whole, 20)


@pytest.mark.parametrize(
    "bomb",
    [
        blob(bytes(64 * MIB)),
        head(BLOB, 1 << 40) + zlib.compress(b""),
        head(OFFSET_DELTA, 7) + b"\x05" + zlib.compress(number(3) + number(1 << 40)),
        head(NAME_DELTA, 7) + bytes(20) + zlib.compress(number(3) + number(1 << 40)),
    ],
    ids=["inflates", "says so", "delta", "delta on a name"],
)
def test_a_small_pack_of_large_objects_is_refused_without_inflating_it(bomb: bytes) -> None:
    given = pack(bomb)
    tracemalloc.start()
    with pytest.raises(AnswerTooLong):
        ensure_fits(given, 16 * MIB, 20)
    assert tracemalloc.get_traced_memory()[1] < MIB
    tracemalloc.stop()


def test_many_small_objects_are_too_much_too() -> None:
    with pytest.raises(AnswerTooLong):
        ensure_fits(pack(*[blob(b"")] * 2000), MIB, 20)


@pytest.mark.parametrize(
    "broken",
    [
        pack(blob(bytes(MIB), said=10)),
        pack(head(BLOB, 3) + b"no stream at all"),
        pack(blob(b"abc"))[:-24],
        memoryview(b"PACK\0\0\0\2\0\0\0\1"),
        pack(bytes([BLOB << 4 | 128]) + b"\xff" * 40),
        pack(head(OFFSET_DELTA, 0) + b"\x05" + zlib.compress(b"")),
    ],
)
def test_what_is_no_pack_is_said(broken: memoryview) -> None:
    with pytest.raises(ValueError, match="pack"):
        ensure_fits(broken, 16 * MIB, 20)


def test_a_tree_of_one_folder_many_times_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git_snapshot, "_MOST_PATHS", 1000)
    store = MemoryRepo().object_store
    files = Tree()
    files.add(b"module", 0o160000, b"1" * 40)
    store.add_object(files)
    for _ in range(20):
        above = Tree()
        above.add(b"a", 0o040000, files.id)
        above.add(b"b", 0o040000, files.id)
        store.add_object(above)
        files = above
    with pytest.raises(AnswerTooLong):
        list(git_snapshot._bounded(git_snapshot._walk(store, files.id, b"")))


def test_folders_without_end_are_left() -> None:
    store = MemoryRepo().object_store
    tree = Tree()
    store.add_object(tree)
    for _ in range(300):
        above = Tree()
        above.add(b"a", 0o040000, tree.id)
        store.add_object(above)
        tree = above
    with pytest.raises(AnswerTooLong):
        list(git_snapshot._walk(store, tree.id, b""))
