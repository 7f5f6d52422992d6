"""Pushes made to wear the server out, or to slip history past the check."""

from __future__ import annotations

import subprocess
import tracemalloc
from pathlib import Path

from lepton_server.git.bare_repositories import create_bare
from lepton_server.git.program import Git
from lepton_server.git.pushed_files import brought_files
from tests.support.git_sandbox import GitSandbox
from tests.support.running_server import RunningServer


def commits_with_attribute_files_of_their_own(directory: Path, folders: int, commits: int) -> str:
    """A history in which every commit changes one of many attribute files; no ref reaches its tip, which is given."""
    create_bare(directory)
    stream = []
    for number in range(1, commits + 1):
        stream.append(f"commit refs/heads/x\nmark :{number}\ncommitter a <a@b> {number} +0000\ndata 0\n")
        stream.append(f"from :{number - 1}\n" if number > 1 else "")
        for folder in range(folders) if number == 1 else [number % folders]:
            content = f"*.bin filter=lepton\n# {number}\n"
            stream.append(f"M 100644 inline {folder}/.gitattributes\ndata {len(content)}\n{content}\n")
    git = Git(directory)
    git.run("fast-import", "--quiet", stdin="".join(stream).encode())
    tip = git.run("rev-parse", "refs/heads/x").decode().strip()
    git.run("update-ref", "-d", "refs/heads/x")
    return tip


def test_many_commits_with_many_attribute_files_take_little_memory(tmp_path: Path) -> None:
    directory = tmp_path / "r.git"
    tip = commits_with_attribute_files_of_their_own(directory, folders=400, commits=300)
    tracemalloc.start()
    try:
        count = sum(1 for _ in brought_files(Git(directory), [tip]))
        assert tracemalloc.get_traced_memory()[1] < 2_000_000  # all of them together have ten times that
    finally:
        tracemalloc.stop()
    assert count == 300


def test_history_behind_a_shallow_border_is_not_taken_on_trust(server: RunningServer, tmp_path: Path) -> None:
    """A client that says that nothing lies before its tip, though raw weights do."""
    work = GitSandbox.create(tmp_path / "work", filter=None, track=None)
    remote = f"{server.url.replace('://', f'://admin:{server.admin_token}@')}/admin/shallow.git"
    (work.folder / ".gitattributes").write_text("*.bin filter=lepton\n")
    work.git("add", ".")
    work.git("commit", "-m", "attributes")
    work.git("push", remote, "HEAD:refs/heads/main")
    work.git("checkout", "-q", "--orphan", "hidden")
    (work.folder / "a.bin").write_bytes(b"raw weights" * 100)
    work.git("add", ".")
    work.git("commit", "-m", "raw")
    work.git("rm", "-q", "a.bin")
    work.git("commit", "-m", "clean")
    tip = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=work.folder, text=True).strip()
    (work.folder / ".git" / "shallow").write_text(tip + "\n")
    pushed = subprocess.run(
        ["git", "push", remote, "HEAD:refs/heads/hidden"], cwd=work.folder, capture_output=True, text=True, check=False
    )
    assert pushed.returncode != 0
    listed = subprocess.check_output(["git", "ls-remote", remote], text=True)
    assert "refs/heads/main" in listed and "hidden" not in listed
