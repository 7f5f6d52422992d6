from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from git_lepton.errors import LeptonError
from git_lepton.format.coding.encoded import RELEASED, EncodedChunk
from git_lepton.format.identifiers import ObjectId
from git_lepton.format.pointer import BadPointer, Pointer, UnknownPointerVersion, parse_pointer
from git_lepton.store.chunk_store import StoreFull
from git_lepton.store.local_store import LocalStore
from git_lepton.workflow.clean import clean
from tests.store.making import pack_files, run_python
from tests.workflow.objects import MemorySource, safetensors


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LocalStore]:
    with LocalStore(tmp_path / "lepton") as store:
        yield store


def rebuilt(store: LocalStore, pointer: Pointer) -> bytes:
    manifest = store.manifest(pointer.oid)
    assert manifest is not None
    return b"".join(store.read(entry.chunk) for entry in manifest.entries)


@pytest.mark.parametrize(
    "data",
    [
        b"x",
        b"version git-lepton/" + bytes(3000),
        safetensors(1, 1000),
        safetensors(2, 100_000, 12),
        bytes(5_000_000),
        safetensors(3, 3_000_000, 3),
    ],
    ids=["one byte", "longer than a pointer", "small", "many small tensors", "zeros", "large"],
)
def test_what_was_cleaned_can_be_rebuilt(store: LocalStore, data: bytes) -> None:
    text = clean(MemorySource(data), store, RELEASED)
    pointer = parse_pointer(text)
    assert pointer == Pointer(ObjectId(hashlib.sha256(data).digest()), len(data))
    store.close()
    assert rebuilt(LocalStore(store.root), pointer) == data


@given(st.binary(max_size=3000), st.integers(1, 700))
def test_any_bytes_in_any_bites(tmp_path_factory: pytest.TempPathFactory, data: bytes, bite: int) -> None:
    store = LocalStore(tmp_path_factory.mktemp("store"))
    text = clean(MemorySource(data, bite), store, RELEASED)
    assert text == (Pointer(ObjectId(hashlib.sha256(data).digest()), len(data)).encode() if data else b"")
    assert not data or rebuilt(store, parse_pointer(text)) == data


@pytest.mark.parametrize("bite", [1, 7, 100_000])
def test_empty_files_and_pointers_come_back_and_store_nothing(store: LocalStore, bite: int) -> None:
    pointer = Pointer(ObjectId(hashlib.sha256(b"x").digest()), 77).encode()
    assert clean(MemorySource(pointer, bite), store, RELEASED) == pointer
    assert clean(MemorySource(b"", bite), store, RELEASED) == b""
    assert not store.root.exists()


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (b"version git-lepton/v9\noid sha256:00\n", UnknownPointerVersion),
        (b"version git-lepton/v1\noid sha256:00\nsize 4\n", BadPointer),
        (Pointer(ObjectId(bytes(32)), 5).encode() + b"\n", BadPointer),
    ],
)
def test_a_pointer_that_is_none_is_refused(store: LocalStore, text: bytes, error: type[LeptonError]) -> None:
    with pytest.raises(error):
        clean(MemorySource(text), store, RELEASED)
    assert not store.root.exists()


def test_a_second_time_nothing_is_encoded_or_written(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    data = safetensors(4, 3_000_000, 2)
    first = clean(MemorySource(data), store, RELEASED)
    before = [path.stat() for path in pack_files(store.root)]

    def refuse(*_: object) -> EncodedChunk:
        raise AssertionError("encoded what is there")

    monkeypatch.setattr("git_lepton.format.coding.codec.encode", refuse)
    assert clean(MemorySource(data), store, RELEASED) == first
    after = [path.stat() for path in pack_files(store.root)]
    assert [status.st_size for status in before] == [status.st_size for status in after]
    assert clean(MemorySource(data), LocalStore(store.root), RELEASED) == first
    assert len(pack_files(store.root)) == len(before)


def test_a_changed_tensor_is_all_that_is_added(store: LocalStore) -> None:
    data = bytearray(safetensors(5, 500_000, 6))
    clean(MemorySource(bytes(data)), store, RELEASED)
    before = store.usage().stored_bytes
    data[-1] ^= 1
    text = clean(MemorySource(bytes(data)), store, RELEASED)
    assert store.usage().stored_bytes - before < 1_100_000
    assert rebuilt(store, parse_pointer(text)) == data


def test_only_allowed_codecs_are_used(store: LocalStore) -> None:
    pointer = parse_pointer(clean(MemorySource(safetensors(6, 1_500_000)), store, frozenset({0})))
    manifest = store.manifest(pointer.oid)
    assert manifest and {store.encoded(entry.chunk).codec for entry in manifest.entries} == {0}


@pytest.mark.parametrize("fails_after", [0, 500, 100_000, 9_000_000])
def test_a_source_that_fails_midway(store: LocalStore, fails_after: int) -> None:
    data = safetensors(7, 8_000_000)
    threads = threading.active_count()
    with pytest.raises(BrokenPipeError):
        clean(MemorySource(data, fails_after=fails_after), store, RELEASED)
    assert threading.active_count() == threads
    assert not list(store.manifests())
    pointer = parse_pointer(clean(MemorySource(data), store, RELEASED))
    assert rebuilt(store, pointer) == data


def test_a_store_that_fails_midway(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    data, real, calls = safetensors(8, 16_000_000), store.add, []

    def add(chunk: EncodedChunk) -> None:
        calls.append(chunk)
        if len(calls) == 4:
            raise StoreFull("no room", "make some")
        real(chunk)

    monkeypatch.setattr(store, "add", add)
    with pytest.raises(StoreFull):
        clean(MemorySource(data), store, RELEASED)
    assert not list(store.manifests())


def test_the_answer_comes_after_the_sync(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def noted(name: str, real: Callable[..., None], *arguments: object) -> None:
        calls.append(name)
        real(*arguments)

    for name in ("add", "add_manifest", "sync"):
        real = getattr(store, name)
        monkeypatch.setattr(store, name, partial(noted, name, real))
    clean(MemorySource(safetensors(9, 5_000_000)), store, RELEASED)
    assert calls[-2:] == ["add_manifest", "sync"] and calls.count("sync") == 1 and calls.count("add") > 2


def test_memory_stays_bounded(tmp_path: Path) -> None:
    """300 MB pass through a process that grows by less than 150 MB."""
    script = f"""
        import resource
        import numpy
        from pathlib import Path
        from git_lepton.format.coding.encoded import RELEASED
        from git_lepton.format.pointer import parse_pointer
        from git_lepton.store.local_store import LocalStore
        from git_lepton.workflow.clean import clean
        from git_lepton.workflow.checkout.smudge import write_file

        class Endless:
            left, block = 300_000_000, numpy.random.default_rng(0).integers(0, 50, 1_000_003, numpy.uint8).tobytes()
            def readinto(self, buffer):
                part = self.block[: min(len(buffer), self.left)]
                buffer[: len(part)] = part
                self.left -= len(part)
                return len(part)

        def peak():
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

        store = LocalStore(Path({str(tmp_path / "lepton")!r}))
        import git_lepton.format.chunking
        before = peak()
        pointer = parse_pointer(clean(Endless(), store, RELEASED))
        middle = peak()
        write_file(pointer, store, Path({str(tmp_path / "file")!r}))
        print((middle - before) // 1024, (peak() - before) // 1024)
    """
    cleaning, both = map(int, run_python(script).stdout.split())
    assert cleaning < 150 and both < 200
    assert (tmp_path / "file").stat().st_size == 300_000_000
    (tmp_path / "file").unlink()
