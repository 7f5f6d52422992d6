"""A process killed at any of its system calls, in the middle of a write too, leaves all that it had synced."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from git_lepton.format.identifiers import ChunkId
from git_lepton.store.local_store import LocalStore
from tests.store.making import manifest_of, run_python, some_bytes

# A scenario that adds, seals, merges and prunes is run once for each of its system calls that changes a file, and killed there.
EVERY_CALL = """
    import os, signal, sys
    from pathlib import Path
    from git_lepton.store import compaction, own_packs
    from git_lepton.store.local_store import LocalStore
    from tests.store.making import chunk_of, manifest_of, some_bytes

    os.fsync = os.fdatasync = lambda descriptor: None   # a killed process loses nothing that the system has; and it is quicker
    compaction.MANY_SMALL_PACKS = 1
    own_packs.ROLL_BYTES = 12000

    def datas(n):
        return [some_bytes(10 * n + i) for i in range(4)] + [some_bytes(7777)]

    def keep(store, n, told):
        for data in datas(n):
            store.add(chunk_of(data))
        store.add_manifest(manifest_of(datas(n)))
        store.sync()
        os.write(told, bytes([n]))

    def scenario(root, told):
        for n in (1, 2, 3):
            with LocalStore(root) as store:
                keep(store, n, told)
        keep(store, 4, told)
        store.close()
        store.prune({manifest_of(datas(n)).oid for n in (1, 3, 4)}, older_than_s=-1)
        with LocalStore(root) as store:
            keep(store, 5, told)

    def kill_at(countdown):
        def counted(name, real, left=[countdown]):
            def call(*arguments, **options):
                left[0] -= 1
                if not left[0]:
                    if name == "writev":
                        whole = b"".join(arguments[1])
                        os.write(arguments[0], whole[:len(whole) // 2])
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*arguments, **options)
            return call
        for name in ("writev", "fdatasync", "fsync", "unlink", "rename", "replace", "mkdir", "utime", "ftruncate"):
            setattr(os, name, counted(name, getattr(os, name)))

    base, countdown = Path(sys.argv[1]), 0
    while True:
        countdown += 1
        root = base / str(countdown) / "lepton"
        root.parent.mkdir()
        read, told = os.pipe()
        child = os.fork()
        if not child:
            kill_at(countdown)
            scenario(root, told)
            os._exit(0)
        os.close(told)
        _, status = os.waitpid(child, 0)
        acknowledged = set(os.read(read, 100)) - {2}
        os.close(read)
        for _ in range(2):
            store = LocalStore(root)
            assert not list(store.verify()), (countdown, list(store.verify()))
            for n in acknowledged:
                manifest = store.manifest(manifest_of(datas(n)).oid)
                assert manifest == manifest_of(datas(n)), (countdown, n)
                assert [store.read(entry.chunk) for entry in manifest.entries] == datas(n), (countdown, n)
            again = os.open(os.devnull, os.O_WRONLY)
            scenario(root, again)   # and everything goes on as if nothing had been
            os.close(again)
        if status == 0:
            break
    print(countdown)
"""


@pytest.mark.thorough
def test_killed_at_every_call(tmp_path: Path) -> None:
    script = EVERY_CALL.replace("sys.argv[1]", repr(str(tmp_path)))
    assert int(run_python(script).stdout) > 60


# Adds, seals, merges and prunes until it is killed; prints the number of each object when that is durable.
UNTIL_KILLED = """
    import sys
    from pathlib import Path
    from git_lepton.store import chunk_store, compaction, own_packs
    from git_lepton.store.local_store import LocalStore
    from tests.store.making import chunk_of, manifest_of, some_bytes

    compaction.MANY_SMALL_PACKS = 2
    own_packs.ROLL_BYTES = 40_000
    root, first, last = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    store, unwanted = LocalStore(root), set()
    for n in range(first, last):
        datas = [some_bytes(n + i, 9000) for i in range(5)]
        if n % 11 == 5:
            unwanted.add(manifest_of(datas).oid)
        with store.pinned():
            for data in datas:
                if store.missing([chunk_of(data).name]):
                    store.add(chunk_of(data))
            store.add_manifest(manifest_of(datas))
            store.sync()
        print(n, flush=True)
        if n % 3 == 0:
            store.close()
        if n % 7 == 0:
            try:
                everything = {manifest.oid for manifest in store.manifests()}
                store.prune(everything - unwanted, older_than_s=1)
            except chunk_store.StoreBusy:
                pass
    store.close()
"""


def start(root: Path, first: int, last: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(UNTIL_KILLED), str(root), str(first), str(last)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def check(root: Path, acknowledged: list[int]) -> None:
    store = LocalStore(root)
    assert not list(store.verify())
    for n in acknowledged:
        if n % 11 == 5:
            continue
        manifest = manifest_of([some_bytes(n + i, 9000) for i in range(5)])
        assert store.manifest(manifest.oid) == manifest
        for i in range(5):
            assert store.read(ChunkId.of(some_bytes(n + i, 9000))) == some_bytes(n + i, 9000)


def test_several_processes_killed_now_and_then(tmp_path: Path) -> None:
    chance = random.Random(4)
    acknowledged: list[int] = []
    for turn in range(4):
        processes = [start(tmp_path / "lepton", 40 * (turn + lane), 40 * (turn + lane) + 1000) for lane in (0, 1, 2)]
        first_words = [process.stdout.readline() for process in processes if process.stdout]
        time.sleep(chance.uniform(0.01, 0.4))
        for process in processes:
            process.send_signal(signal.SIGKILL)
        outputs = [process.communicate() for process in processes]
        assert not any(errors for _, errors in outputs), outputs
        lines = "".join(first_words + [text for text, _ in outputs]).splitlines()
        acknowledged += [int(line) for line in lines]
        check(tmp_path / "lepton", acknowledged)
    assert len(set(acknowledged)) > 12


def test_ten_processes_add_overlapping_chunks(tmp_path: Path) -> None:
    root = tmp_path / "lepton"
    processes = [start(root, 5 * lane, 5 * lane + 12) for lane in range(10)]
    outputs = [process.communicate() for process in processes]
    assert all(not process.returncode for process in processes), outputs
    check(root, list(range(5 * 9 + 12)))

    raw = 61 * 9000
    with LocalStore(root) as store:
        store.prune({manifest.oid for manifest in store.manifests()}, older_than_s=-1)
        assert store.usage().stored_bytes < 1.1 * raw + 60 * 600
