"""The steps of the quickstart: train, commit, push, fine-tune, push on a branch, clone, compare."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from git_lepton.entry.quickstart.digits import Digits, load_digits
from git_lepton.entry.quickstart.network import Network
from git_lepton.entry.quickstart.sandbox import QuickstartFailed, Sandbox

MODEL = "classifier.safetensors"
REPOSITORY = "admin/digits"


@dataclass(frozen=True)
class Version:
    """One version of the model: accuracy on the held-out digits, size of its file and what it cost to push, in bytes."""

    branch: str
    accuracy: float
    size: int
    travelled: int
    sha256: str


@dataclass(frozen=True)
class Story:
    """What happened, for the telling."""

    parameters: int
    held_out: int
    versions: tuple[Version, Version]
    pointer: str
    work: Path
    clone: Path


def play(sandbox: Sandbox, say: Callable[[str], None]) -> Story:
    """Run the whole story in a started sandbox; `say` hears of each step. Raises QuickstartFailed."""
    work, clone = sandbox.folder / "work", sandbox.folder / "clone"
    remote = f"lepton::{sandbox.url}/{REPOSITORY}"
    parts, network = load_digits(), Network(seed=7)

    say(f"training a network of {network.parameters / 1e6:.1f} M parameters on {len(parts.first.labels)} real digits")
    network.train(parts.first, epochs=2, seed=1)
    work.mkdir()
    sandbox.git(["init", "-q"], work)
    sandbox.git(["lepton", "track", "*.safetensors"], work)
    sandbox.git(["remote", "add", "origin", remote], work)
    sandbox.git(["add", ".gitattributes"], work)
    say("git add, git commit, git push                    version 1 on main")
    first = _commit_and_push(sandbox, work, network, "main", network.accuracy(parts.held_out))

    both = Digits(
        np.concatenate([parts.first.images, parts.second.images]), np.concatenate([parts.first.labels, parts.second.labels])
    )
    say(f"fine-tuning its last two layers on {len(both.labels)} digits")
    network.train(both, epochs=4, seed=2, rate=5e-4, first_layer=2)
    sandbox.git(["switch", "-q", "-c", "fine-tune"], work)
    say("git add, git commit, git push                    version 2 on fine-tune")
    second = _commit_and_push(sandbox, work, network, "fine-tune", network.accuracy(parts.held_out))

    say("git clone into another folder, both versions compared byte for byte")
    sandbox.git(["clone", "-q", remote, str(clone)], sandbox.folder)
    for version in (first, second):
        sandbox.git(["switch", "-q", version.branch], clone)
        if _sha256(clone / MODEL) != version.sha256:
            raise QuickstartFailed(f"the clone's {MODEL} on {version.branch} differs from what was pushed")
    if sandbox.git(["status", "--porcelain"], clone):
        raise QuickstartFailed("git status is not clean in the clone")
    pointer = sandbox.git(["show", f"HEAD:{MODEL}"], clone)
    return Story(network.parameters, len(parts.held_out.labels), (first, second), pointer, work, clone)


def _commit_and_push(sandbox: Sandbox, work: Path, network: Network, branch: str, accuracy: float) -> Version:
    data = network.safetensors(f"digits classifier, {branch}")
    (work / MODEL).write_bytes(data)
    before = sandbox.stored_bytes()
    sandbox.git(["add", MODEL], work)
    sandbox.git(["commit", "-q", "-m", f"Accuracy {accuracy:.1%} on held-out digits"], work)
    sandbox.git(["push", "-q", "-u", "origin", branch], work)
    return Version(branch, accuracy, len(data), sandbox.stored_bytes() - before, hashlib.sha256(data).hexdigest())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
