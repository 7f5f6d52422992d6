"""Nothing is lost under load while everything breaks: several servers over one PostgreSQL and one S3, killed and started at random, an S3
that is busy or cuts bodies, a team that pushes and pulls, gc and repack in a loop. At the end all that was acknowledged must be there.

    python -m benchmarks.endurance --minutes 10 --clients 8 --servers 3 [--ceph SCRIPT]

Prints a table; the exit code is 1 where anything was lost, wrong, visible that should not be, or larger than allowed.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import Select, func, select

from lepton_server.backends import open_database
from lepton_server.database.tables import encodings, object_links, packs
from tests.support import s3_servers
from tests.support.backends import Backends, Place
from tests.support.cluster import Cluster
from tests.support.team_at_work import Person, Team, at_work, check_commit
from tests.support.unreliable import Odds, Unreliable

_MIB = 1 << 20
_MOST_MEMORY = 500 * _MIB
_REPOSITORY = "admin/models"
_KILL_EVERY = (4.0, 14.0)  # seconds
_DOWN_FOR = (0.2, 5.0)
_SESSION_SECONDS = 30
_LAST_RUNS = 6


def main() -> int:
    options = _arguments()
    if options.ceph:
        s3_servers.CEPH = str(options.ceph)
    folder = Path(tempfile.mkdtemp(prefix="lepton-endurance-"))
    with Backends() as backends:
        place = backends.place("postgres-ceph" if options.ceph else "postgres-moto")
        with Unreliable(place.s3_endpoint, Odds(options.busy, options.cut)) as s3:
            seen = Run(folder, replace(place, s3_endpoint=s3.url), s3, options).go()
    good = not seen["complaints"]
    for name, value in seen.items():
        if name != "complaints":
            print(f"{name:<46}{value}")
    for complaint in seen["complaints"]:
        print(f"WRONG: {complaint}", file=sys.stderr)
    print("nothing was lost" if good else f"{len(seen['complaints'])} complaints; see {folder}")
    if good and not options.keep:
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if good else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks.endurance", description="load, faults, and what is left of it")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--servers", type=int, default=3)
    parser.add_argument("--ceph", type=Path, default=s3_servers.CEPH or None, metavar="SCRIPT", help="else moto")
    parser.add_argument("--busy", type=float, default=0.05, help="share of S3's answers that are 503 (default: 0.05)")
    parser.add_argument("--cut", type=float, default=0.02, help="share of bodies that are cut (default: 0.02)")
    parser.add_argument("--tensors", type=int, default=4, help="of the model, of half a MiB each")
    parser.add_argument("--grace", default="5s", help="of gc and repack")
    parser.add_argument("--keep", action="store_true", help="keep the folder with logs and data")
    return parser.parse_args()


class Run:
    """One run from start to the last check."""

    def __init__(self, folder: Path, place: Place, s3: Unreliable, options: argparse.Namespace) -> None:
        self._s3, self._options, self._folder = s3, options, folder
        self._chance = random.Random(7)
        self._over = threading.Event()
        self._care: Counter[str] = Counter()
        self._memory: dict[int, int] = {}
        self._kills = 0
        self._cluster = Cluster(folder, place, options.servers, ["--session-seconds", str(_SESSION_SECONDS)])

    def go(self) -> dict[str, Any]:
        began = time.monotonic()
        with self._cluster as cluster:
            self._team = Team(f"lepton::{cluster.url}/{_REPOSITORY}", cluster.admin_token, self._folder / "team")
            people = [Person(self._team, n, tensors=self._options.tensors, values=1 << 18) for n in range(self._options.clients)]
            for person in people:
                person.prepare()
            helpers = [threading.Thread(target=work) for work in (self._kill, self._collect, self._measure)]
            threads = at_work(people, self._over, self._team.complain)
            for thread in helpers:
                thread.start()
            time.sleep(self._options.minutes * 60)
            self._over.set()
            for thread in [*threads, *helpers]:
                thread.join()
            loaded = time.monotonic() - began
            left = self._left()
            logs = cluster.logs()
        if "Traceback" in logs:
            self._team.complain(f"a server's log shows a bug of ours: {logs[logs.index('Traceback') :][:1500]}")
        if (most := max(self._memory.values())) > _MOST_MEMORY:
            self._team.complain(f"a server took {most / _MIB:.0f} MiB")
        return {
            "seconds of load": f"{loaded:.0f}",
            "pushes acknowledged": self._team.pushes + len(self._team.scratch),
            "clones compared": self._team.clones,
            "pushes and clones told to try again": self._team.refused,
            "servers killed or stopped": self._kills,
            "S3 requests passed, refused, cut": f"{self._s3.passed}, {self._s3.refused}, {self._s3.cut}",
            "care": ", ".join(f"{name} {count}" for name, count in sorted(self._care.items())),
            "most memory of a server, MiB": f"{most / _MIB:.0f}",
            **left,
            "complaints": self._team.complaints,
        }

    def _kill(self) -> None:
        while not self._over.wait(self._chance.uniform(*_KILL_EVERY)):
            server = self._chance.choice(self._cluster.servers)
            try:
                if self._chance.random() < 0.7:
                    server.kill()
                else:
                    server.stop()
                self._over.wait(self._chance.uniform(*_DOWN_FOR))
                server.restart()
            except AssertionError as error:
                self._team.complain(f"a server did not end or start: {error}")
                return
            self._kills += 1

    def _collect(self) -> None:
        while not self._over.wait(2.0):
            for command in ("gc", "repack"):
                self._care_for(command, "--grace", self._options.grace)

    def _care_for(self, command: str, *arguments: str) -> str:
        """A run of a caretaker, in a process and a folder of its own; what it said. One that S3 or the lock kept from working tries
        again another time."""
        words = [sys.executable, "-m", "lepton_server.cli", command, "--data", str(self._folder / "care")]
        environment = os.environ | dict(self._cluster.place.environment)
        done = subprocess.run(
            [*words, *self._cluster.place.options, *arguments], capture_output=True, text=True, env=environment, check=False
        )
        self._care[f"{command} {'done' if done.returncode == 0 else 'put off'}"] += 1
        said = done.stdout + done.stderr
        # A server was killed between git's refs and its note of them: gc leaves that repository alone until the next push to it.
        in_doubt = done.returncode == 1 and "are not those of its last push" in said and not self._over.is_set()
        if (done.returncode not in (0, 2, 5) and not in_doubt) or "Traceback" in said:
            self._team.complain(f"{command} ended with {done.returncode}: {said[-2000:]}")
        with (self._folder / "care.log").open("a") as log:
            log.write(f"{command} {done.returncode} {said}\n")
        return said

    def _measure(self) -> None:
        while not self._over.wait(0.5):
            for server in self._cluster.servers:
                try:
                    used = psutil.Process(server.pid).memory_info().rss
                except psutil.Error:
                    continue  # it was killed
                self._memory[server.pid] = max(used, self._memory.get(server.pid, 0))

    def _left(self) -> dict[str, object]:
        """Everything stands still: what is there, and is it all that was promised, and nothing else?"""
        self._s3.odds.busy = self._s3.odds.cut = 0.0
        team, look = self._team, self._folder / "look"
        for branch, versions in sorted(team.acknowledged.items()):
            check_commit(team, branch, versions, look, tries=3)
        refs = self._refs_are_whole(look)
        before = self._stored()
        time.sleep(_SESSION_SECONDS)  # what pushes were promised ends with their sessions
        for _ in range(_LAST_RUNS):
            self._care_for("gc", "--grace", "0s")
            self._care_for("repack", "--grace", "0s")
            if not (strays := self._strays(refs)):
                break
        else:
            team.complain(f"what nothing needs did not go: {strays}")
        for branch, versions in sorted(team.acknowledged.items()):
            newest = list(versions)[-1]
            check_commit(team, branch, {newest: versions[newest]}, look, tries=3)
        scrubbed = self._care_for("scrub")
        if not self._care["scrub done"]:
            team.complain(f"scrub: {scrubbed[-2000:]}")
        return {"MiB stored, before and after the last gc": f"{before / _MIB:.1f}, {self._stored() / _MIB:.1f}"}

    def _refs_are_whole(self, look: Path) -> set[str]:
        """The SHA-256 of every model that a ref reaches. A ref that nobody was told of must be one that somebody pushed, and whole."""
        team = self._team
        found: set[str] = set()
        listed = team.must(team.folder, "ls-remote", "--heads", team.url)
        tips = dict(reversed(line.split("\t")) for line in listed.splitlines() if "\t" in line)
        for ref, tip in tips.items():
            if tip not in team.attempted:
                team.complain(f"{ref} is at {tip}, which nobody pushed")
                continue
            branch = ref.removeprefix("refs/heads/")
            check_commit(team, branch, {tip: team.attempted[tip]}, look, tries=3)
            team.must(team.folder, "clone", "-q", "-n", "-b", branch, team.url, str(look))
            commits = team.must(look, "log", "--format=%H").split()
            found |= {team.attempted[commit] for commit in commits if commit in team.attempted}
            found |= {line.split("sha256:")[1][:64] for line in self._pointers(look, commits)}
            shutil.rmtree(look)
        return found

    def _pointers(self, place: Path, commits: list[str]) -> list[str]:
        shown = (self._team.git(place, "show", f"{commit}:model.safetensors")[1] for commit in commits)
        return [line for said in shown for line in said.splitlines() if line.startswith("oid sha256:")]

    def _strays(self, wanted: set[str]) -> dict[str, int]:
        """Objects that no ref reaches, packs that no encoding lies in, and files that no pack has."""
        there = self._rows(select(object_links.c.oid).distinct(), lambda row: row.oid.hex())
        if missing := wanted - set(there):
            self._team.complain(f"{len(missing)} objects that refs reach are not linked")
        keys = set(self._rows(select(packs.c.storage_key), lambda row: row.storage_key))
        lively = self._rows(select(encodings.c.pack).distinct(), lambda row: row.pack)
        files = set(self._cluster.servers[0].stored_files())
        counts = {"objects": len(set(there) - wanted), "packs": len(keys) - len(lively), "files": len(files ^ keys)}
        return {name: count for name, count in counts.items() if count}

    def _stored(self) -> int:
        return int(self._rows(select(func.coalesce(func.sum(packs.c.size), 0)), lambda row: row[0])[0])

    def _rows(self, query: Select[Any], one: Callable[[Any], Any]) -> list[Any]:
        database = open_database(self._cluster.servers[0].settings)
        with database.read() as connection:
            found = [one(row) for row in connection.execute(query)]
        database.close()
        return found


if __name__ == "__main__":
    sys.exit(main())
