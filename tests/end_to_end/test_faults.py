"""Faults on a person's own machine that would cost them their weights: rotten disks, full disks, killed filters, files that change while
they are added."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests.end_to_end.conftest import HERE
from tests.end_to_end.world import World
from tests.support.tiny_models import model

pytestmark = [HERE, pytest.mark.thorough]

NAME = "model.safetensors"
DATA = model(1, rows=512)


def packs(place: Path) -> list[Path]:
    return sorted((place / ".git/lepton/packs").glob("*.pack"))


def rot(place: Path, at: int = 5000) -> None:
    """One flipped bit in the largest pack."""
    pack = max(packs(place), key=lambda path: path.stat().st_size)
    data = bytearray(pack.read_bytes())
    data[at] ^= 1
    pack.write_bytes(data)


@pytest.mark.parametrize("limit", ["1k", "100m"])
def test_rotten_weights_come_back_from_the_server(world: World, url: str, limit: str) -> None:
    place = world.repository(remote=url)
    world.git(place, "config", "lepton.smudgeLimit", limit)
    world.commit(place, NAME, DATA)
    world.git(place, "push", "-q", "origin", "main")
    rot(place)
    assert world.run(["git", "lepton", "fsck"], place, fails=True).returncode == 7
    world.git(place, "lepton", "fetch")
    world.git(place, "lepton", "fsck")
    (place / NAME).unlink()
    world.git(place, "checkout", "--", NAME)
    assert (place / NAME).read_bytes() == DATA


def test_rotten_weights_come_back_by_adding_the_file_again(world: World, url: str) -> None:
    place = world.repository(remote=url)
    world.commit(place, NAME, model(77, rows=512))  # unknown to the server, which else would not ask for it
    rot(place)
    words = world.git(place, "push", "origin", "main", fails=True)
    assert "damaged" in words and "git add --renormalize" in words
    world.git(place, "add", "--renormalize", NAME)
    world.git(place, "push", "-q", "origin", "main")
    world.git(place, "lepton", "fsck")


@pytest.mark.parametrize("option", ["core.autocrlf=true", "core.eol=crlf"])
def test_line_ends_of_pointers_may_be_converted(world: World, url: str, option: str) -> None:
    """`* text=auto` after our line turns conversion on again: git then converts the pointer before it asks for the weights."""
    place = world.repository(remote=url)
    with (place / ".gitattributes").open("a") as attributes:
        attributes.write("* text=auto\n")
    world.git(place, "add", ".gitattributes")
    world.commit(place, NAME, DATA)
    world.git(place, "push", "-q", "origin", "main")
    for limit in ("1k", "100m"):
        folder = f"clone-{limit}"
        world.git(world.folder, "clone", "-q", "-c", f"lepton.smudgeLimit={limit}", "-c", option, url, folder)
        assert (world.folder / folder / NAME).read_bytes() == DATA
        world.clean(world.folder / folder)


def test_an_edit_that_only_a_conflict_holds_is_not_pruned(world: World) -> None:
    place = world.repository()
    world.commit(place, NAME, model(1))
    world.git(place, "switch", "-qc", "other")
    world.commit(place, NAME, model(2))
    world.git(place, "switch", "-q", "main")
    edit = model(3)
    (place / NAME).write_bytes(edit)
    world.git(place, "checkout", "-q", "--merge", "other")
    for pack in packs(place):
        os.utime(pack, (time.time() - 86400, time.time() - 86400))
    world.git(place, "lepton", "prune")
    world.git(place, "checkout", "-q", "--theirs", "--", NAME)
    assert (place / NAME).read_bytes() == edit


@pytest.mark.parametrize("limit", ["1k", "100m"])
def test_untracked_weights_come_back_out_of_a_stash(world: World, limit: str) -> None:
    """Nothing names them any more when the stash is gone."""
    place = world.repository()
    world.git(place, "config", "lepton.smudgeLimit", limit)
    world.commit(place, NAME, model(1))
    (place / NAME).write_bytes(model(2))
    (place / "new").mkdir()
    (place / "new" / NAME).write_bytes(model(3))
    world.git(place, "stash", "-q", "--include-untracked")
    assert not (place / "new").exists()
    world.git(place, "stash", "pop", "-q")
    assert (place / NAME).read_bytes() == model(2)
    assert (place / "new" / NAME).read_bytes() == model(3)


@pytest.mark.parametrize("how", ["append", "rewrite", "replace"])
def test_a_file_that_changes_while_it_is_added(world: World, how: str) -> None:
    """Whatever git read is stored whole, and git sees that the file is another now."""
    place = world.repository()
    file, start = place / NAME, model(1, rows=8000)
    file.write_bytes(start)
    over = threading.Event()

    def change() -> None:
        count = 0
        while not over.wait(0.004):
            count += 1
            if how == "replace":
                (place / "new").write_bytes(start[:-count])
                (place / "new").replace(file)
                continue
            with file.open("r+b") as opened:
                opened.seek(0 if how == "rewrite" else file.stat().st_size)
                opened.write(os.urandom(50_000))

    changing = threading.Thread(target=change)
    changing.start()
    try:
        done = subprocess.run(["git", "add", NAME], cwd=place, env=world.environment, capture_output=True, check=False)
    finally:
        over.set()
        changing.join()
    now = file.read_bytes()
    if done.returncode:
        assert world.git(place, "ls-files", NAME) == ""
        return
    world.git(place, "commit", "-qm", "model")
    world.git(place, "lepton", "fsck")
    if hashlib.sha256(now).hexdigest() not in world.git(place, "show", f"HEAD:{NAME}"):
        assert world.git(place, "status", "--porcelain", NAME) != ""
    world.git(place, "checkout", "-q", "--force", "HEAD", "--", NAME)
    assert hashlib.sha256(file.read_bytes()).hexdigest() in world.git(place, "show", f"HEAD:{NAME}")


@pytest.mark.skipif(os.name == "nt" or not Path("/proc").is_dir(), reason="looks for the filter in /proc")
@pytest.mark.parametrize("delay", [0.1, 0.2, 0.4])
def test_a_filter_that_is_killed_alone(world: World, delay: float) -> None:
    """git fails, names nothing that is not stored, and the same command again completes."""
    place = world.repository()
    (place / NAME).write_bytes(model(1, rows=20000))
    adding = subprocess.Popen(
        ["git", "add", NAME], cwd=place, env=world.environment, start_new_session=True, stderr=subprocess.DEVNULL
    )
    time.sleep(delay)
    for pid in _filters(adding.pid):
        os.kill(pid, signal.SIGKILL)
    adding.wait(60)
    (place / ".git/index.lock").unlink(missing_ok=True)
    if adding.returncode:
        assert world.git(place, "ls-files", NAME) == ""
    world.git(place, "add", NAME)
    world.git(place, "commit", "-qm", "model")
    world.git(place, "lepton", "fsck")


def _filters(group: int) -> list[int]:
    found = []
    for folder in Path("/proc").iterdir():
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(fields[2]) == group and b"filter-process" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except (OSError, IndexError, ValueError):
            continue
    return found


@pytest.mark.skipif(os.name == "nt", reason="limits of a process are POSIX")
def test_a_full_disk_while_adding_loses_nothing(world: World) -> None:
    """EFBIG stands for ENOSPC: no file may grow over 300 kB."""
    place = world.repository()
    first = world.commit(place, NAME, model(1))
    (place / NAME).write_bytes(model(2, rows=2000))
    limited = f"ulimit -f 300; trap '' XFSZ; git add {NAME}"
    words = world.run(["bash", "-c", limited], place, fails=True).stderr.decode()
    assert "no room" in words
    assert world.git(place, "diff", "--cached", "--name-only") == ""
    world.git(place, "lepton", "fsck")
    world.git(place, "add", NAME)
    world.git(place, "commit", "-qm", "second")
    world.git(place, "checkout", "-q", first)
    assert (place / NAME).read_bytes() == model(1)
    world.git(place, "checkout", "-q", "main")
    assert (place / NAME).read_bytes() == model(2, rows=2000)
