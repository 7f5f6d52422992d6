"""The history of one hosted repository as git bundles, and back. A bundle holds what the ones before it lack.

Refs are those that the server's mirror had, whatever git has by now: what a ref pointed to stays in the repository.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from git_lepton.errors import CorruptData
from lepton_server.git.bare_repositories import create_bare
from lepton_server.git.program import Git, GitFailed, git_environment, git_program
from lepton_server.git.refs import refs_of

_SIGNATURE = b"# v2 git bundle\n"
_BLOCK = 1024 * 1024
_LONGEST_HEAD = 64 * 1024 * 1024


class HistoryLost(CorruptData):
    """Git lacks what the refs of a repository point to."""


def missing(git: Git, targets: Collection[str]) -> set[str]:
    """Those of these object names that the repository lacks."""
    lines = "".join(f"{target}\n" for target in sorted(targets)).encode()
    answers = git.run("cat-file", "--batch-check=%(objectname)", stdin=lines).decode().splitlines()
    return {answer.split(" ")[0] for answer in answers if answer.endswith(" missing")}


@dataclass(frozen=True)
class Bundle:
    """A bundle to be written: refs (full name to object name), and the tips of earlier bundles, whose history it leaves out."""

    git: Git
    refs: Mapping[str, str]
    known: Collection[str]

    def blocks(self) -> Iterator[bytes]:
        """The bundle's bytes. Raises HistoryLost, GitFailed."""
        if lost := missing(self.git, set(self.refs.values())):
            refs = ", ".join(sorted(name for name, target in self.refs.items() if target in lost)[:3])
            raise HistoryLost(f"{self.git.directory} lacks what its refs point to: {refs}", "Repair it before it is backed up.")
        known = sorted(set(self.known) - missing(self.git, self.known))
        yield self._head(known)
        with tempfile.TemporaryFile() as asked:
            asked.write("".join(f"{target}\n" for target in sorted(set(self.refs.values()))).encode())
            asked.write("".join(f"^{target}\n" for target in known).encode())
            asked.seek(0)
            with self.git.stream(
                "pack-objects", "--revs", "--stdout", "--thin", "--delta-base-offset", "-q", stdin=asked
            ) as pack:
                while block := pack.read(_BLOCK):
                    yield block

    def _head(self, known: list[str]) -> bytes:
        kinds = self.git.run("cat-file", "--batch-check=%(objecttype)", stdin="".join(f"{k}\n" for k in known).encode())
        commits = [name for name, kind in zip(known, kinds.decode().split(), strict=True) if kind == "commit"]
        lines = [f"-{name} \n" for name in commits] + [f"{target} {name}\n" for name, target in sorted(self.refs.items())]
        return _SIGNATURE + "".join(lines).encode() + b"\n"


def restore_history(
    directory: Path, bundles: Iterable[Iterator[bytes]], refs: Mapping[str, str], branch: str | None, settings: Mapping[str, str]
) -> None:
    """Make the bare repository `directory` out of its bundles, in their order, with exactly these refs; HEAD names `branch`.

    It is whole, checked and durable when it is seen. Raises HistoryLost, GitFailed, FileExistsError.
    """
    if directory.exists():
        raise FileExistsError(17, "there is a repository already", str(directory))
    directory.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".restored-", dir=directory.parent))
    try:
        new = scratch / "repository"
        create_bare(new)
        git = Git(new, settings=dict(settings))
        for blocks in bundles:
            _take_in(git, blocks)
        updates = "".join(f"create {name} {target}\n" for name, target in sorted(refs.items()))
        git.run("update-ref", "--stdin", stdin=updates.encode())
        if refs_of(git) != dict(refs):
            raise HistoryLost(f"the refs of {directory} are not those of the backup")
        _check(git, directory)
        if branch is not None:
            git.run("symbolic-ref", "HEAD", f"refs/heads/{branch}")
        new.rename(directory)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _check(git: Git, directory: Path) -> None:
    try:
        with git.stream("rev-list", "--objects", "--all", "--quiet") as nothing:
            nothing.read()
    except GitFailed as error:
        raise HistoryLost(f"the history of {directory} in this backup is not whole") from error


def _take_in(git: Git, blocks: Iterator[bytes]) -> None:
    """Feed the pack in a bundle to git, which checks every object of it."""
    command = [git_program(), "--git-dir", str(git.directory), "index-pack", "--stdin", "--fix-thin"]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command, env=git_environment(git.settings), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said
        )
        assert process.stdin is not None
        try:
            _feed(process.stdin, blocks)
        except BrokenPipeError:
            pass  # it says why below
        except BaseException:
            process.kill()
            raise
        finally:
            process.wait()
        if process.returncode:
            said.seek(0)
            reason = said.read().decode("utf-8", "replace").strip().splitlines()[-1:] or ["it said nothing"]
            raise HistoryLost(f"git does not take a bundle of this backup: {reason[0]}")


def _feed(pipe: IO[bytes], blocks: Iterator[bytes]) -> None:
    head = bytearray()
    with pipe:
        for block in blocks:
            head += block
            if (end := head.find(b"\n\n")) >= 0:
                if not head.startswith(_SIGNATURE):
                    raise HistoryLost("what should be a git bundle in this backup is none")
                pipe.write(head[end + 2 :])
                break
            if len(head) > _LONGEST_HEAD:
                raise HistoryLost("a bundle of this backup has no end to its head")
        for block in blocks:
            pipe.write(block)
