from __future__ import annotations

import hashlib
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from git_lepton.format.coding.encoded import RELEASED
from git_lepton.format.identifiers import ChunkId, ObjectId
from git_lepton.format.manifest import Manifest, ManifestEntry
from git_lepton.format.pointer import Pointer, parse_pointer
from git_lepton.store.chunk_store import ChunkMissing, DamagedChunk, ManifestMissing
from git_lepton.store.local_store import LocalStore
from git_lepton.workflow.checkout.smudge import CannotWriteFile, WrongObject, write_file, write_object
from git_lepton.workflow.clean import clean
from tests.store.making import chunk_of, manifest_of, pack_files, run_python, some_bytes
from tests.workflow.objects import MemorySource, safetensors

SMALL, LARGE = safetensors(1, 1000), safetensors(2, 2_000_000, 5)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LocalStore]:
    with LocalStore(tmp_path / "lepton") as store:
        yield store


def cleaned(store: LocalStore, data: bytes) -> Pointer:
    return parse_pointer(clean(MemorySource(data), store, RELEASED))


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
def test_the_bytes_come_back_in_order(store: LocalStore, data: bytes) -> None:
    parts: list[bytes] = []
    write_object(cleaned(store, data), store, lambda part: parts.append(bytes(part)))
    assert b"".join(parts) == data


def test_unknown_objects_are_missing(store: LocalStore) -> None:
    with pytest.raises(ManifestMissing) as caught:
        write_object(Pointer(ObjectId(bytes(32)), 4), store, lambda part: None)
    assert caught.value.exit_code == 4


def test_nothing_is_written_where_a_chunk_is_missing(store: LocalStore) -> None:
    datas = [some_bytes(n) for n in range(4)]
    manifest = manifest_of(datas)
    for data in datas[:3]:
        store.add(chunk_of(data))
    store.add_manifest(manifest)
    parts: list[bytes | bytearray] = []
    with pytest.raises(ChunkMissing) as caught:
        write_object(Pointer(manifest.oid, manifest.size), store, parts.append)
    assert caught.value.chunk == ChunkId.of(datas[3]) and not parts
    with LocalStore(store.root) as other:
        other.add(chunk_of(datas[3]))
    write_object(Pointer(manifest.oid, manifest.size), store, parts.append)
    assert b"".join(parts) == b"".join(datas), "what another process brought meanwhile is seen"


@pytest.mark.parametrize("count", [2, 700], ids=["small", "large"])
def test_chunks_that_are_not_the_object_are_refused(store: LocalStore, count: int) -> None:
    datas = [some_bytes(n) for n in range(count)]
    for data in datas:
        store.add(chunk_of(data))
    entries = tuple(ManifestEntry(ChunkId.of(data), len(data)) for data in reversed(datas))
    oid = ObjectId(hashlib.sha256(b"".join(datas)).digest())
    store.add_manifest(Manifest(oid, 5000 * count, entries))
    with pytest.raises(WrongObject):
        write_object(Pointer(oid, 5000 * count), store, lambda part: None)
    with pytest.raises(WrongObject):
        write_object(Pointer(oid, 5000 * count + 1), store, lambda part: None)


def test_damage_names_the_chunk_and_leaves_the_file(store: LocalStore, tmp_path: Path) -> None:
    pointer = cleaned(store, LARGE)
    store.close()
    (path,) = pack_files(store.root)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    target = tmp_path / "tree" / "model"
    target.parent.mkdir()
    target.write_bytes(b"before")
    with pytest.raises(DamagedChunk):
        write_file(pointer, LocalStore(store.root), target)
    assert target.read_bytes() == b"before" and list(target.parent.iterdir()) == [target]


def test_a_writer_that_fails_stops_everything(store: LocalStore) -> None:
    pointer, threads = cleaned(store, LARGE), threading.active_count()

    def fail(part: bytes | bytearray) -> None:
        raise BrokenPipeError(32, "nobody reads")

    with pytest.raises(BrokenPipeError):
        write_object(pointer, store, fail)
    assert threading.active_count() == threads


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("durably", [False, True])
def test_write_file(store: LocalStore, tmp_path: Path, data: bytes, durably: bool) -> None:
    target = tmp_path / "tree" / "model"
    target.parent.mkdir()
    write_file(cleaned(store, data), store, target, durably=durably)
    assert target.read_bytes() == data and list(target.parent.iterdir()) == [target]


def test_write_file_keeps_the_mode(store: LocalStore, tmp_path: Path) -> None:
    target = tmp_path / "model"
    target.write_bytes(b"pointer")
    target.chmod(0o750)
    write_file(cleaned(store, SMALL), store, target)
    assert stat.S_IMODE(target.stat().st_mode) == 0o750 and target.read_bytes() == SMALL


def test_write_file_replaces_a_link_not_what_it_points_to(store: LocalStore, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"not ours")
    (tmp_path / "model").symlink_to("elsewhere")
    write_file(cleaned(store, SMALL), store, tmp_path / "model")
    assert (tmp_path / "elsewhere").read_bytes() == b"not ours" and (tmp_path / "model").read_bytes() == SMALL


def test_write_file_says_why_it_cannot(store: LocalStore, tmp_path: Path) -> None:
    with pytest.raises(CannotWriteFile) as caught:
        write_file(cleaned(store, SMALL), store, tmp_path / "absent" / "model")
    assert "absent" in caught.value.message and caught.value.exit_code == 2


def test_write_file_cleans_up_when_the_disk_is_full(store: LocalStore, tmp_path: Path) -> None:
    pointer = cleaned(store, LARGE)
    store.close()
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "model").write_bytes(b"before")
    answer = run_python(f"""
        import resource
        from pathlib import Path
        from git_lepton.format.pointer import parse_pointer
        from git_lepton.store.local_store import LocalStore
        from git_lepton.workflow.checkout.smudge import CannotWriteFile, write_file
        resource.setrlimit(resource.RLIMIT_FSIZE, (9_000_000, resource.RLIM_INFINITY))
        try:
            write_file(parse_pointer({pointer.encode()!r}), LocalStore(Path({str(store.root)!r})), Path({str(tree / "model")!r}))
        except CannotWriteFile as error:
            print(error.message)
    """).stdout
    assert str(tree / "model") in answer
    assert list(tree.iterdir()) == [tree / "model"] and (tree / "model").read_bytes() == b"before"
