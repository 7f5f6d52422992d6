from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy
import pytest
import zstandard

from git_lepton.format.coding.literals import literal_writer
from tests.format.sources import noise

pytest.importorskip("zstandard._cffi", reason="this zstandard has no second binding", exc_type=ImportError)


@pytest.mark.parametrize("data", [b"", b"a", bytes(3_000_000), noise(300_000), b"weights " * 50_000], ids=len)
def test_a_frame_is_one_that_any_reader_takes(data: bytes) -> None:
    write = literal_writer()
    assert write is not None
    for _ in range(2):
        frame = write(memoryview(data))
        assert zstandard.frame_content_size(frame) == len(data)
        assert zstandard.ZstdDecompressor().decompress(frame, max_output_size=len(data), allow_extra_data=False) == data


def test_literals_come_close_to_their_entropy() -> None:
    write = literal_writer()
    assert write is not None
    exponents = (numpy.random.default_rng(1).normal(size=500_000).astype("<f4").view("<u4") >> 23).astype("u1")
    parts = numpy.bincount(exponents) / len(exponents)
    entropy = -(parts[parts > 0] * numpy.log2(parts[parts > 0])).sum()
    assert 8 * len(write(exponents.data)) < 1.02 * entropy * len(exponents)


def test_only_contiguous_bytes_are_taken() -> None:
    write = literal_writer()
    assert write is not None
    with pytest.raises((ValueError, BufferError)):
        write(memoryview(bytes(100))[::2])


def test_each_thread_has_its_own() -> None:
    inputs = [noise(50_000 + 1000 * number) for number in range(16)]

    def there_and_back(data: bytes) -> bytes:
        write = literal_writer()
        assert write is not None
        return zstandard.decompress(write(memoryview(data)))

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(there_and_back, inputs)) == inputs


@pytest.mark.parametrize("module", [None, SimpleNamespace(), SimpleNamespace(ffi=None, lib=None)])
def test_without_the_binding_there_is_no_writer(module: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zstandard._cffi", module)
    assert literal_writer() is None


def test_a_zstd_that_refuses_a_parameter_gives_no_writer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("git_lepton.format.coding.literals._PARAMETERS", {"ZSTD_c_strategy": 99})
    assert literal_writer() is None
