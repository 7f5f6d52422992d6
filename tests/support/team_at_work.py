"""People who push and pull fine-tunes of one model all the time, and who remember what they were told: the load of the endurance run.

Each has a branch of their own in one repository. Now and then one pushes a branch that is deleted again, so that something is left to
collect, and clones somebody else's branch to see that it holds what that one was told is there.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests.support import fine_tuned
from tests.support.tiny_models import safetensors

NAME = "model.safetensors"
_PATIENCE_SECONDS = 300
_SCRATCH_EVERY, _CLONE_EVERY = 4, 3


@dataclass
class Team:
    """What all of them know. `acknowledged`: the SHA-256 of the model by commit, once its push was said to be done; `attempted`: of
    every commit that anybody tried to push. `complaints`: what must not happen at all."""

    url: str  # lepton::http://HOST/OWNER/REPO
    token: str
    folder: Path
    acknowledged: dict[str, dict[str, str]] = field(default_factory=dict)  # by branch
    attempted: dict[str, str] = field(default_factory=dict)
    scratch: set[str] = field(default_factory=set)  # commits of branches that were deleted again
    refused: int = 0  # pushes and clones that were told to try again
    clones: int = 0
    complaints: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def pushes(self) -> int:
        return sum(map(len, self.acknowledged.values()))

    def environment(self) -> dict[str, str]:
        home = self.folder / "home"
        home.mkdir(parents=True, exist_ok=True)
        programs = str(Path(sys.executable).parent)
        own = {"HOME": str(home), "PATH": os.pathsep.join([programs, os.environ["PATH"]]), "GIT_CONFIG_NOSYSTEM": "1"}
        own |= {"GIT_LEPTON_TOKEN": self.token, "GIT_LEPTON_HOST": self.url.split("/")[2], "GIT_TERMINAL_PROMPT": "0"}
        people = {f"GIT_{who}_{what}": "ada@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        return kept | own | people

    def git(self, folder: Path, *arguments: str) -> tuple[bool, str]:
        """Whether it went well, and what it said."""
        done = subprocess.run(
            ["git", "-c", "init.defaultBranch=main", *arguments],
            cwd=folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE_SECONDS,
            check=False,
        )
        said = (done.stdout + done.stderr).decode(errors="replace")
        if "Traceback" in said or done.returncode == 70:
            self.complain(f"git {' '.join(arguments)}: {said}")
        return done.returncode == 0, said

    def must(self, folder: Path, *arguments: str) -> str:
        """What a command said that nothing but our own fault can make fail."""
        good, said = self.git(folder, *arguments)
        if not good:
            self.complain(f"git {' '.join(arguments)} failed: {said}")
        return said

    def complain(self, words: str) -> None:
        with self.lock:
            self.complaints.append(words)


class Person:
    """One of the team; `work` goes on until `over` is set."""

    def __init__(self, team: Team, number: int, *, tensors: int, values: int) -> None:
        self._team = team
        self.branch = f"person-{number}"
        self._place = team.folder / self.branch
        self._random = random.Random(number)
        self._shape = tensors, values
        self._arrays = [np.frombuffer(fine_tuned.weights(layer, values), "<u2").copy() for layer in range(tensors)]
        self._noise = np.random.default_rng(1000 + number)

    def prepare(self) -> None:
        team = self._team
        self._place.mkdir(parents=True)
        team.must(self._place, "init", "-q")
        team.must(self._place, "lepton", "track", "*.safetensors")
        team.must(self._place, "remote", "add", "origin", team.url)
        team.must(self._place, "add", ".gitattributes")
        team.must(self._place, "commit", "-qm", "track")
        team.must(self._place, "checkout", "-q", "-b", self.branch)

    def work(self, over: threading.Event) -> None:
        turn = 0
        while not over.is_set():
            turn += 1
            commit, digest = self._train(f"version {turn}")
            self._push(self.branch, commit, digest)
            if turn % _SCRATCH_EVERY == 0:
                self._push_and_delete(turn)
            if turn % _CLONE_EVERY == 0:
                self._look_at_another()

    def _train(self, message: str) -> tuple[str, str]:
        for array in self._arrays:
            array[self._noise.random(len(array)) < 0.1] += 1
        data = safetensors({f"layer.{n}": ("BF16", [len(array)], array.tobytes()) for n, array in enumerate(self._arrays)})
        (self._place / NAME).write_bytes(data)
        self._team.must(self._place, "add", NAME)
        self._team.must(self._place, "commit", "-qm", message)
        commit = self._team.must(self._place, "rev-parse", "HEAD").strip()
        return commit, hashlib.sha256(data).hexdigest()

    def _push(self, branch: str, commit: str, digest: str) -> bool:
        team = self._team
        with team.lock:
            team.attempted[commit] = digest
        good, said = team.git(self._place, "push", "-q", "origin", f"HEAD:refs/heads/{branch}")
        with team.lock:
            if good:
                team.acknowledged.setdefault(branch, {})[commit] = digest
            else:
                team.refused += 1
                _note(team.folder, f"push {branch}", said)
        return good

    def _push_and_delete(self, turn: int) -> None:
        """A version that nobody wants in the end."""
        branch = f"scratch-{self.branch}-{turn}"
        kept = [array.copy() for array in self._arrays]
        commit, digest = self._train(f"scratch {turn}")
        self._team.scratch.add(commit)
        if self._push(branch, commit, digest):
            del self._team.acknowledged[branch]
            self._team.git(self._place, "push", "-q", "origin", f":refs/heads/{branch}")
        self._team.must(self._place, "reset", "-q", "--hard", "HEAD~1")
        self._arrays = kept

    def _look_at_another(self) -> None:
        team = self._team
        with team.lock:
            known = {branch: dict(versions) for branch, versions in team.acknowledged.items() if branch.startswith("person")}
        if known:
            branch = self._random.choice(sorted(known))
            commit = self._random.choice(sorted(known[branch]))
            check_commit(team, branch, {commit: known[branch][commit]}, team.folder / f"clone-{self.branch}")


def check_commit(team: Team, branch: str, versions: dict[str, str], place: Path, tries: int = 1) -> None:
    """A clone has these versions of a branch; every one that does not come back byte for byte is a complaint. One that does not come,
    since servers are down, is asked for again."""
    for _ in range(tries):
        shutil.rmtree(place, ignore_errors=True)
        good, said = team.git(team.folder, "clone", "-q", "-b", branch, team.url, str(place))
        wrong = _wrong(team, place, versions) if good else versions
        team.clones += 1
        if not wrong:
            break
        with team.lock:
            team.refused += 1
        _note(team.folder, f"clone {branch}", said)
        time.sleep(1)
    else:
        if tries > 1:
            team.complain(f"{len(wrong)} of {len(versions)} versions of {branch} did not come back: {sorted(wrong)[:3]}")
    shutil.rmtree(place, ignore_errors=True)


def _wrong(team: Team, place: Path, versions: dict[str, str]) -> dict[str, str]:
    wrong = {}
    for commit, digest in versions.items():
        team.git(place, "checkout", "-q", commit)
        found = (place / NAME).read_bytes() if (place / NAME).exists() else b""
        if hashlib.sha256(found).hexdigest() != digest:
            wrong[commit] = digest
            if not found.startswith(b"version git-lepton/"):
                team.complain(f"a clone gave {len(found)} wrong bytes for commit {commit}")
    return wrong


def _note(folder: Path, what: str, said: str) -> None:
    with (folder / "refused.log").open("a") as log:
        log.write(f"--- {time.strftime('%H:%M:%S')} {what}\n{said}\n")


def at_work(people: list[Person], over: threading.Event, complain: Callable[[str], None]) -> list[threading.Thread]:
    """Everybody works, each in a thread; an error in one of these is a complaint."""

    def work(person: Person) -> None:
        try:
            person.work(over)
        except Exception as error:
            complain(f"{person.branch} stopped: {error!r}")

    threads = [threading.Thread(target=work, args=(person,), name=person.branch) for person in people]
    for thread in threads:
        thread.start()
    return threads
