"""What install writes, and that uninstall leaves nothing of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from git_lepton.git.hooks import INSTALLED, NOT_OURS, pre_push_state
from git_lepton.git.repository import GitRepository, NotARepository
from git_lepton.workflow.setup.install import ensure_installed, install, uninstall
from git_lepton.workflow.setup.pre_push_hook import HookChanged, script
from tests.support.git_sandbox import GitSandbox


@pytest.fixture
def sandbox(tmp_path: Path) -> GitSandbox:
    return GitSandbox.create(tmp_path / "work", filter=None, track=None)


@pytest.fixture
def git(sandbox: GitSandbox) -> GitRepository:
    return GitRepository(sandbox.folder)


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file below a folder, with its bytes and mode."""
    return {str(p.relative_to(folder)): (p.read_bytes(), p.stat().st_mode) for p in sorted(folder.rglob("*")) if p.is_file()}


def hook_of(sandbox: GitSandbox, text: str = "", mode: int = 0o755) -> Path:
    hook = sandbox.folder / ".git/hooks/pre-push"
    if text:
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(text)
        hook.chmod(mode)
    return hook


@pytest.mark.parametrize("scope", ["local", "global"])
@pytest.mark.parametrize("earlier", ["", "#!/bin/sh\nexit 0\n"])
def test_uninstall_leaves_everything_as_it_was(
    sandbox: GitSandbox, git: GitRepository, clean_environment: Path, scope: str, earlier: str
) -> None:
    hook_of(sandbox, earlier, 0o751)
    before = snapshot(sandbox.folder), snapshot(clean_environment)
    install(git, scope)
    assert hook_of(sandbox).read_bytes() == script()
    assert "filter-process" in sandbox.git("config", f"--{scope}", "filter.lepton.process")
    install(git, scope)
    done = uninstall(git, scope)
    assert done == ["the pre-push hook is as it was before", "git's configuration is as it was before"]
    assert (snapshot(sandbox.folder), snapshot(clean_environment)) == before
    assert uninstall(git, scope) == ["nothing of git-lepton was installed here"]


def test_without_a_hooks_folder_none_stays_behind(tmp_path: Path) -> None:
    sandbox = GitSandbox(tmp_path)
    sandbox.git("init", "-q", "--template=")
    install(GitRepository(tmp_path), "local")
    assert (tmp_path / ".git/hooks/pre-push").exists()
    uninstall(GitRepository(tmp_path), "local")
    assert not (tmp_path / ".git/hooks").exists()


def test_outside_of_a_repository_only_the_user_s_configuration(
    tmp_path: Path, clean_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert install(GitRepository(tmp_path), "global") == ["git uses git-lepton in all of your repositories"]
    assert b"filter-process" in (clean_environment / ".gitconfig").read_bytes()
    uninstall(GitRepository(tmp_path), "global")
    assert not (clean_environment / ".gitconfig").exists()
    with pytest.raises(NotARepository):
        install(GitRepository(tmp_path), "local")


def test_hooks_can_be_left_out(sandbox: GitSandbox, git: GitRepository) -> None:
    install(git, "local", hooks=False)
    assert not hook_of(sandbox).exists()


def test_a_hook_edited_since_is_neither_overwritten_nor_removed(sandbox: GitSandbox, git: GitRepository) -> None:
    install(git, "local")
    hook = hook_of(sandbox)
    edited = hook.read_bytes() + b"echo mine\n"
    hook.write_bytes(edited)
    for command in (install, uninstall):
        with pytest.raises(HookChanged, match="was changed since"):
            command(git, "local")
        assert hook.read_bytes() == edited


def test_a_hook_that_replaced_ours_is_not_overwritten(sandbox: GitSandbox, git: GitRepository) -> None:
    hook_of(sandbox, "#!/bin/sh\n# first\n")
    install(git, "local")
    hook_of(sandbox, "#!/bin/sh\n# second\n")
    with pytest.raises(HookChanged, match="replaced"):
        install(git, "local")
    assert "# first" in (sandbox.folder / ".git/hooks/pre-push.before-lepton").read_text()


@pytest.mark.parametrize("place", [".githooks", "/tmp-like/outside"])
def test_a_hooks_folder_that_is_not_the_repository_s_own_is_left_alone(
    sandbox: GitSandbox, git: GitRepository, tmp_path: Path, place: str
) -> None:
    folder = tmp_path / "shared" if place.startswith("/") else sandbox.folder / place
    folder.mkdir()
    sandbox.git("config", "core.hooksPath", str(folder) if place.startswith("/") else place)
    (said,) = [line for line in install(git, "local") if "core.hooksPath" in line]
    assert f'Add this line to {folder / "pre-push"}: git lepton pre-push "$@"' in said
    assert list(folder.iterdir()) == []
    assert not hook_of(sandbox).exists()
    assert any("core.hooksPath" in line for line in ensure_installed(git))
    assert uninstall(git, "local") == ["git's configuration is as it was before"]


def test_worktrees_share_the_hook(sandbox: GitSandbox, tmp_path: Path) -> None:
    sandbox.commit("one", a="a")
    sandbox.git("worktree", "add", "-q", str(tmp_path / "second"), "HEAD")
    install(GitRepository(tmp_path / "second"), "local")
    assert hook_of(sandbox).read_bytes() == script()
    uninstall(GitRepository(tmp_path / "second"), "local")
    assert not hook_of(sandbox).exists()


def test_a_global_install_renews_what_a_clone_was_given(sandbox: GitSandbox, git: GitRepository) -> None:
    sandbox.git("config", "filter.lepton.process", "an older one")
    install(git, "global")
    assert "filter-process" in sandbox.git("config", "--local", "filter.lepton.process")


def test_ensure_installed_says_only_what_is_new(sandbox: GitSandbox, git: GitRepository) -> None:
    assert ensure_installed(git) == ["git uses git-lepton in this repository"]
    assert ensure_installed(git) == []
    assert hook_of(sandbox).exists()


@pytest.mark.parametrize(("code", "pushed"), [(0, True), (7, False)])
def test_the_earlier_hook_runs_first_with_the_same_input(
    sandbox: GitSandbox, git: GitRepository, tmp_path: Path, code: int, pushed: bool
) -> None:
    seen = tmp_path / "seen"
    hook_of(sandbox, f'#!/bin/sh\necho "$@" > "{seen}"\ncat >> "{seen}"\nexit {code}\n')
    install(git, "local")
    sandbox.git("init", "-q", "--bare", str(tmp_path / "bare.git"))
    sandbox.git("remote", "add", "origin", str(tmp_path / "bare.git"))
    commit = sandbox.commit("one", a="a")
    assert (sandbox.run("push", "-q", "origin", "main").returncode == 0) == pushed
    assert seen.read_text() == f"origin {tmp_path / 'bare.git'}\nrefs/heads/main {commit} refs/heads/main {'0' * 40}\n"
    assert (tmp_path / "bare.git/refs/heads/main").exists() == pushed


def test_a_hook_of_git_lfs_goes_on_working(sandbox: GitSandbox, git: GitRepository, tmp_path: Path) -> None:
    if sandbox.run("lfs", "version").returncode:
        pytest.skip("git-lfs is not installed")
    sandbox.git("lfs", "install", "--local")
    install(git, "local")
    sandbox.git("init", "-q", "--bare", str(tmp_path / "bare.git"))
    sandbox.git("remote", "add", "origin", (tmp_path / "bare.git").as_uri())
    sandbox.git("lfs", "track", "*.psd")
    sandbox.commit("one", **{"picture.psd": b"a picture"})
    sandbox.git("push", "-q", "origin", "main")
    assert [p.name for p in (tmp_path / "bare.git/lfs/objects").rglob("*") if p.is_file()] != []


def test_pre_commit_that_moved_our_hook_aside_and_starts_it_is_left_alone(sandbox: GitSandbox, git: GitRepository) -> None:
    install(git, "local")
    sandbox.write(".pre-commit-config.yaml", "repos: []\n")
    program = [sys.executable, "-m", "pre_commit", "install", "--hook-type", "pre-push"]
    subprocess.run(program, cwd=sandbox.folder, check=True, capture_output=True)
    theirs = hook_of(sandbox).read_bytes()
    assert pre_push_state(sandbox.folder / ".git/hooks") == INSTALLED
    install(git, "local")
    assert hook_of(sandbox).read_bytes() == theirs
    hook_of(sandbox).with_name("pre-push.legacy").unlink()
    assert pre_push_state(sandbox.folder / ".git/hooks") == NOT_OURS
