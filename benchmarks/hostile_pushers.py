"""Does one's own push take longer because others attack the server? Hostile pushers and forkers in a loop, some of whose clients are
killed, and beside them somebody who pushes and clones, before the attack and under it.

    python -m benchmarks.hostile_pushers [--seconds 120] [--pushers 8]

Prints a table; the exit code is 1 where a push or a clone takes more than three times as long (medians), a server process more than
500 MiB, or a process of git's outlives its client by more than ten seconds. All runs on this machine: the hostile clients with the least
priority, as if they were elsewhere, the server and the other person's with the usual.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.git_children import Watch
from benchmarks.hostile_clients import MIB, Forking, Hostile, Inflating, ManyPaths, ManyPatterns, Target
from tests.support.running_server import RunningServer
from tests.support.team_at_work import Team
from tests.support.tiny_models import safetensors

_ACCOUNTS = 4
_QUIET_ROUNDS = 8
_OTHER_FILES, _OTHER_BYTES = 4, MIB
_WEIGHTS = 300_000
_TIMES, _MOST_SERVER, _MOST_OUTLIVED = 3.0, 500 * MIB, 10.0
_END_SECONDS = 60.0


def main() -> int:
    parser = argparse.ArgumentParser("python -m benchmarks.hostile_pushers", description="what an attack costs others")
    parser.add_argument("--seconds", type=float, default=120.0, help="of attack (default: 120)")
    parser.add_argument("--pushers", type=int, default=8, help="of two kinds in four each (default: 8)")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="lepton-hostile-"))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended then too
    try:
        with RunningServer(folder) as server:
            return Run(folder, server, options.seconds, options.pushers).go()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Neighbour:
    """Somebody who pushes small weights and an ordinary file to one repository, and clones it."""

    def __init__(self, team: Team) -> None:
        self._team, self._random = team, random.Random(9)
        self._place = team.folder / "own"
        self.pushes: list[float] = []
        self.clones: list[float] = []

    def prepare(self) -> None:
        self._place.mkdir(parents=True)
        self._must("init", "-q")
        self._must("lepton", "track", "*.safetensors")
        self._must("remote", "add", "origin", self._team.url)
        for number in range(_OTHER_FILES):
            (self._place / f"data-{number}.bin").write_bytes(self._random.randbytes(_OTHER_BYTES))
        self._commit("data")
        self._must("push", "-q", "origin", "HEAD:refs/heads/main")

    def round(self) -> None:
        """A push and a clone, which must hold what was pushed."""
        raw = self._random.randbytes(_WEIGHTS)
        model = safetensors({"layer": ("U8", [_WEIGHTS], raw)})
        (self._place / "model.safetensors").write_bytes(model)
        (self._place / "notes.txt").write_text(f"{self._random.random()}\n" * 100)
        self._commit("a version")
        self.pushes.append(_timed(lambda: self._must("push", "-q", "origin", "HEAD:refs/heads/main")))
        there = self._team.folder / "clone"
        self.clones.append(_timed(lambda: self._team.must(self._team.folder, "clone", "-q", self._team.url, str(there))))
        if (there / "model.safetensors").read_bytes() != model:
            self._team.complain("a clone is not what was pushed")
        shutil.rmtree(there)

    def _commit(self, message: str) -> None:
        self._must("add", "--all")
        self._must("commit", "-qm", message)

    def _must(self, *arguments: str) -> None:
        self._team.must(self._place, *arguments)


class Run:
    """One server, quiet first, then under attack."""

    def __init__(self, folder: Path, server: RunningServer, seconds: float, pushers: int) -> None:
        self._server, self._seconds = server, seconds
        self._neighbour = self._settle(folder, "ada", "models")
        other = self._settle(folder, "ada-too", "others")
        sources = [self._neighbour[1], other[1]]
        accounts = [f"mallory-{number}" for number in range(_ACCOUNTS)]
        tokens = {account: server.make_user(account) for account in accounts}
        for account in accounts:
            for source in sources:
                server.grant(account, "reader", source)
        kinds: list[type[Hostile]] = [ManyPaths, Inflating, Forking, ManyPatterns]
        (folder / "hostile").mkdir()
        self._hostile = [
            kinds[number // 2 % len(kinds)](
                Target(server.url, accounts[number % _ACCOUNTS], tokens[accounts[number % _ACCOUNTS]], sources[number % 2]),
                number,
                folder / "hostile",
            )
            for number in range(pushers)
        ]

    def _settle(self, folder: Path, account: str, name: str) -> tuple[Neighbour, str]:
        full = f"{account}/{name}"
        team = Team(f"lepton::{self._server.url}/{full}", self._server.make_user(account), folder / account)
        team.folder.mkdir()
        neighbour = Neighbour(team)
        neighbour.prepare()
        return neighbour, full

    def go(self) -> int:
        neighbour = self._neighbour[0]
        for one in self._hostile:
            one.prepare()
        neighbour.round()  # what happens only once happens now
        neighbour.pushes.clear()
        neighbour.clones.clear()
        for _ in range(_QUIET_ROUNDS):
            neighbour.round()
        quiet = list(neighbour.pushes), list(neighbour.clones)
        neighbour.pushes.clear()
        neighbour.clones.clear()
        watch = Watch(self._server.pid, self._hostile)
        watch.start()
        try:
            self._attack(neighbour)
            until = time.monotonic() + _END_SECONDS
            while watch.hostile_children() and time.monotonic() < until:
                time.sleep(0.2)
        finally:
            watch.stop()
        return self._told(quiet, (neighbour.pushes, neighbour.clones), watch)

    def _attack(self, neighbour: Neighbour) -> None:
        over = threading.Event()
        threads = [threading.Thread(target=one.work, args=(over,), name=one.name) for one in self._hostile]
        for thread in threads:
            thread.start()
        try:
            until = time.monotonic() + self._seconds
            while time.monotonic() < until:
                neighbour.round()
        finally:
            over.set()
            for thread in threads:
                thread.join()

    def _told(self, quiet: tuple[list[float], list[float]], attacked: tuple[list[float], list[float]], watch: Watch) -> int:
        good = True
        print(
            "| | quiet: median, longest | under attack: median, longest | times (medians) | rounds |\n| --- | --- | --- | --- | --- |"
        )
        for what, before, under in zip(("push", "clone"), quiet, attacked, strict=True):
            times = statistics.median(under) / statistics.median(before)
            good &= times <= _TIMES
            print(f"| {what} | {_spread(before)} | {_spread(under)} | {times:.2f} | {len(before)}, {len(under)} |")
        seen, complaints = watch.seen, self._neighbour[0]._team.complaints
        print(f"largest server process: {seen.server / MIB:.0f} MiB; largest process of git's: {seen.child / MIB:.0f} MiB")
        print(f"most processes of git's at once: {seen.most_children}")
        print(f"longest that one outlived its client: {seen.outlived:.1f} s{f' ({seen.worst})' if seen.worst else ''}")
        for one in self._hostile:
            kinds = ", ".join(f"{count} {outcome}" for outcome, count in sorted(one.outcomes.items()))
            print(f"{one.name} ({type(one).__name__}): {kinds}")
        for complaint in complaints:
            print(f"WRONG: {complaint}", file=sys.stderr)
        good &= seen.server <= _MOST_SERVER and seen.outlived <= _MOST_OUTLIVED and not complaints
        print("as it should be" if good else "NOT as it should be")
        return 0 if good else 1


def _timed(do: Callable[[], object]) -> float:
    began = time.monotonic()
    do()
    return time.monotonic() - began


def _spread(seconds: list[float]) -> str:
    return f"{statistics.median(seconds):.2f} s, {max(seconds):.2f} s"


if __name__ == "__main__":
    sys.exit(main())
