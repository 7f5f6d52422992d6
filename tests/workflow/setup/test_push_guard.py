"""A repository with weights has the hook that sends them, or says that it has not."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import pytest

from git_lepton.entry.cli import main
from git_lepton.git.repository import GitRepository
from git_lepton.workflow.setup.install import install, uninstall
from git_lepton.workflow.setup.pre_push_hook import install_hook, script
from git_lepton.workflow.setup.push_guard import ensure_guarded, unguarded
from git_lepton.workspace import open_workspace
from tests.support.git_sandbox import FILTER, GitSandbox

WEIGHTS = b"weights" * 1000


@pytest.fixture
def global_filter(clean_environment: Path, tmp_path: Path) -> None:
    """What `git lepton install` leaves, run outside of any repository: a filter for all, no hook anywhere."""
    home = GitSandbox(tmp_path)
    home.git("config", "--global", "filter.lepton.process", FILTER)
    home.git("config", "--global", "filter.lepton.required", "true")


@pytest.fixture
def sandbox(global_filter: None, tmp_path: Path) -> GitSandbox:
    sandbox = GitSandbox.create(tmp_path / "work", filter=None)
    sandbox.git("remote", "add", "origin", str(tmp_path / "host.git"))
    return sandbox


def hook_of(sandbox: GitSandbox) -> Path:
    return sandbox.folder / ".git/hooks/pre-push"


def test_the_first_weights_of_a_clone_bring_the_hook(sandbox: GitSandbox, tmp_path: Path) -> None:
    sandbox.commit(model=b"not tracked")
    assert not hook_of(sandbox).exists()
    sandbox.commit(files={"model.bin": WEIGHTS})
    assert hook_of(sandbox).read_bytes() == script()
    clone = sandbox.clone(tmp_path / "clone", filter=None)
    assert clone.read("model.bin") == WEIGHTS
    assert hook_of(clone).read_bytes() == script()


def test_a_hook_that_is_there_is_kept_and_runs_first(sandbox: GitSandbox, tmp_path: Path) -> None:
    hook_of(sandbox).write_text(f"#!/bin/sh\necho ran >> {tmp_path / 'ran'}\n")
    hook_of(sandbox).chmod(0o755)
    sandbox.commit(files={"model.bin": WEIGHTS})
    sandbox.git("init", "-q", "--bare", str(tmp_path / "host.git"))
    sandbox.git("push", "-q", "origin", "main")
    assert (tmp_path / "ran").read_text() == "ran\n"
    assert list((tmp_path / "host.git/lepton/packs").iterdir())


def test_a_hook_that_starts_ours_by_its_own_line_stays_as_it_is(sandbox: GitSandbox) -> None:
    own = '#!/bin/sh\ngit lepton pre-push "$@"\n'
    hook_of(sandbox).write_text(own)
    hook_of(sandbox).chmod(0o755)
    sandbox.commit(files={"model.bin": WEIGHTS})
    assert hook_of(sandbox).read_text() == own


def test_a_line_that_is_a_comment_starts_nothing(sandbox: GitSandbox) -> None:
    hook_of(sandbox).write_text('#!/bin/sh\n# git lepton pre-push "$@"\n')
    hook_of(sandbox).chmod(0o755)
    sandbox.commit(files={"model.bin": WEIGHTS})
    assert hook_of(sandbox).read_bytes() == script()


def test_who_wants_no_hook_gets_none_and_is_told(sandbox: GitSandbox) -> None:
    install(GitRepository(sandbox.folder), "local", hooks=False)
    sandbox.write("model.bin", WEIGHTS)
    said = sandbox.stderr("add", "model.bin")
    assert not hook_of(sandbox).exists()
    assert "`git push origin` would leave the weights on this machine: its pre-push hook is absent" in said
    assert "hint: git lepton install" in said
    install(GitRepository(sandbox.folder), "local")
    assert sandbox.run("config", "lepton.hooks").returncode == 1
    sandbox.write("model.bin", WEIGHTS + b"more")
    assert sandbox.stderr("add", "model.bin") == ""


def test_remotes_of_ours_need_no_hook(sandbox: GitSandbox) -> None:
    install(GitRepository(sandbox.folder), "local", hooks=False)
    sandbox.git("remote", "set-url", "origin", "lepton::https://lepton.example.org/ada/models")
    sandbox.write("model.bin", WEIGHTS)
    assert sandbox.stderr("add", "model.bin") == ""
    sandbox.git("config", "remote.origin.pushurl", "https://git.example.org/models")
    with open_workspace(sandbox.folder) as workspace:
        assert unguarded(workspace)


def test_status_pull_and_doctor_say_that_nothing_guards(
    sandbox: GitSandbox, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    install(GitRepository(sandbox.folder), "local", hooks=False)
    sandbox.commit(files={"model.bin": WEIGHTS})
    monkeypatch.chdir(sandbox.folder)
    for command in ("status", "pull", "doctor"):
        main([command])
        said = "".join(capfd.readouterr())
        assert "`git push origin` would leave the weights on this machine" in said, command
        assert "git lepton install" in said, command


def test_pull_puts_the_hook_where_it_lacks(sandbox: GitSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox.commit(files={"model.bin": WEIGHTS})
    hook_of(sandbox).unlink()
    monkeypatch.chdir(sandbox.folder)
    assert main(["pull"]) == 0
    assert hook_of(sandbox).read_bytes() == script()


def test_a_bare_repository_that_is_deployed_from_gets_none_and_its_linked_work_tree_does(
    sandbox: GitSandbox, tmp_path: Path
) -> None:
    sandbox.commit(files={"model.bin": WEIGHTS})
    bare = GitSandbox(tmp_path / "bare.git")
    sandbox.git("clone", "-q", "--bare", str(sandbox.folder), str(bare.folder))
    (tmp_path / "deployed").mkdir()
    bare.git(f"--work-tree={tmp_path / 'deployed'}", "checkout", "-q", "-f", "main")
    assert (tmp_path / "deployed/model.bin").exists()
    assert not (bare.folder / "hooks/pre-push").exists()
    bare.git("worktree", "add", "-q", str(tmp_path / "linked"), "-b", "side")
    assert (bare.folder / "hooks/pre-push").read_bytes() == script()


def test_a_read_only_hooks_folder_stops_no_file(sandbox: GitSandbox) -> None:
    hooks = sandbox.folder / ".git/hooks"
    for file in hooks.iterdir():
        file.unlink()
    hooks.rmdir()
    hooks.write_bytes(b"")  # nothing can be written below a file, whoever we are
    sandbox.write("model.bin", WEIGHTS)
    said = sandbox.stderr("add", "model.bin")
    assert sandbox.git("ls-files", "model.bin") == "model.bin\n"
    assert "would leave the weights on this machine" in said


OWN = "#!/bin/sh\nexit 0\n"


@pytest.fixture(params=["shared", "work/githooks"])
def linked(request: pytest.FixtureRequest, sandbox: GitSandbox, tmp_path: Path) -> Path:
    """Hooks of a whole team, or tracked ones."""
    target: Path = tmp_path / request.param
    target.mkdir()
    (target / "pre-push").write_text(OWN)
    (target / "pre-push").chmod(0o755)
    shutil.rmtree(sandbox.folder / ".git/hooks")
    (sandbox.folder / ".git/hooks").symlink_to(target)
    return target


def test_nothing_is_written_through_a_link_of_the_hooks_folder_and_the_line_is_named(sandbox: GitSandbox, linked: Path) -> None:
    sandbox.write("model.bin", WEIGHTS)
    said = sandbox.stderr("add", "model.bin")
    assert [file.name for file in linked.iterdir()] == ["pre-push"]
    assert (linked / "pre-push").read_text() == OWN
    assert "its pre-push hook is another hook, which does not start ours" in said
    assert f'Add this line to {linked / "pre-push"}: git lepton pre-push "$@"' in said


def test_nor_does_install_which_says_why(sandbox: GitSandbox, linked: Path) -> None:
    said = "\n".join(install(GitRepository(sandbox.folder), "local"))
    assert f"a link leads from the hooks of this repository to {linked}, where git-lepton does not write" in said
    assert "core.hooksPath" not in said
    uninstall(GitRepository(sandbox.folder), "local")
    assert [file.name for file in linked.iterdir()] == ["pre-push"]
    assert (linked / "pre-push").read_text() == OWN


def test_with_the_line_behind_the_link_all_is_well(sandbox: GitSandbox, linked: Path) -> None:
    (linked / "pre-push").write_text('#!/bin/sh\ngit lepton pre-push "$@"\n')
    sandbox.write("model.bin", WEIGHTS)
    assert sandbox.stderr("add", "model.bin") == ""


def test_a_link_within_the_git_directory_is_the_repositorys_own(sandbox: GitSandbox) -> None:
    (sandbox.folder / ".git/hooks").rename(sandbox.folder / ".git/other")
    (sandbox.folder / ".git/hooks").symlink_to("other")
    sandbox.commit(files={"model.bin": WEIGHTS})
    assert (sandbox.folder / ".git/other/pre-push").read_bytes() == script()


def test_a_hooks_folder_that_is_a_link_to_nothing_or_to_itself_stays(sandbox: GitSandbox, tmp_path: Path) -> None:
    hooks = sandbox.folder / ".git/hooks"
    shutil.rmtree(hooks)
    for target in (tmp_path / "away", hooks):
        hooks.unlink(missing_ok=True)
        hooks.symlink_to(target)
        with open_workspace(sandbox.folder) as workspace:
            ensure_guarded(workspace)
            assert unguarded(workspace)
        assert hooks.readlink() == target
    assert not (tmp_path / "away").exists()


def test_a_hook_that_is_a_link_whose_target_is_away_is_kept_and_runs_when_it_is_back(sandbox: GitSandbox, tmp_path: Path) -> None:
    away = tmp_path / "team/pre-push"
    hook_of(sandbox).symlink_to(away)
    with open_workspace(sandbox.folder) as workspace:
        missing = unguarded(workspace)
    assert missing
    assert "another hook" in missing.message
    sandbox.commit(files={"model.bin": WEIGHTS})
    assert hook_of(sandbox).read_bytes() == script()
    kept = hook_of(sandbox).with_name("pre-push.before-lepton")
    assert kept.readlink() == away
    away.parent.mkdir()
    away.write_text(f"#!/bin/sh\necho ran >> {tmp_path / 'ran'}\n")
    away.chmod(0o755)
    sandbox.git("init", "-q", "--bare", str(tmp_path / "host.git"))
    sandbox.git("push", "-q", "origin", "main")
    assert (tmp_path / "ran").read_text() == "ran\n"
    away.unlink()
    uninstall(GitRepository(sandbox.folder), "local")
    assert hook_of(sandbox).readlink() == away
    assert not kept.is_symlink()


def test_such_a_link_that_was_half_kept_goes_on(sandbox: GitSandbox, tmp_path: Path) -> None:
    hook_of(sandbox).symlink_to(tmp_path / "away")
    os.link(hook_of(sandbox), hook_of(sandbox).with_name("pre-push.before-lepton"), follow_symlinks=False)
    install_hook(GitRepository(sandbox.folder))
    assert hook_of(sandbox).read_bytes() == script()
    assert hook_of(sandbox).with_name("pre-push.before-lepton").is_symlink()


class TestAFolderOfHooksForAllRepositories:
    @pytest.fixture
    def hooks(self, sandbox: GitSandbox, clean_environment: Path) -> Path:
        sandbox.git("config", "--global", "core.hooksPath", "~/hooks")
        return clean_environment / "hooks"

    def test_install_writes_into_it_and_uninstall_takes_it_back(self, sandbox: GitSandbox, hooks: Path) -> None:
        sandbox.write("model.bin", WEIGHTS)
        said = sandbox.stderr("add", "model.bin")
        assert not hooks.exists()  # only at somebody's word
        assert "its pre-push hook is absent" in said
        assert "hint: git lepton install" in said
        git = GitRepository(sandbox.folder)
        assert f"{hooks / 'pre-push'} sends the weights of what you push" in install(git)
        assert (hooks / "pre-push").read_bytes() == script()
        with open_workspace(sandbox.folder) as workspace:
            assert unguarded(workspace) is None
        assert not hook_of(sandbox).exists()
        uninstall(git)
        assert list(hooks.iterdir()) == []

    def test_install_outside_of_a_repository_does_too(
        self, sandbox: GitSandbox, hooks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        install(GitRepository())
        assert (hooks / "pre-push").read_bytes() == script()

    def test_a_hook_of_somebody_s_own_there_stays_and_the_line_is_named(self, sandbox: GitSandbox, hooks: Path) -> None:
        hooks.mkdir()
        own = "#!/bin/sh\nexit 0\n"
        (hooks / "pre-push").write_text(own)
        (hooks / "pre-push").chmod(0o755)
        said = "\n".join(install(GitRepository(sandbox.folder)))
        assert f'Add this line to {hooks / "pre-push"}: git lepton pre-push "$@"' in said
        assert (hooks / "pre-push").read_text() == own
        with open_workspace(sandbox.folder) as workspace:
            missing = unguarded(workspace)
        assert missing
        assert "Add this line" in missing.hint


def test_a_hook_that_git_passes_over_guards_nothing(sandbox: GitSandbox) -> None:
    install_hook(GitRepository(sandbox.folder))
    hook_of(sandbox).chmod(0o644)
    with open_workspace(sandbox.folder) as workspace:
        missing = unguarded(workspace)
        assert missing
        assert "not executable" in missing.message
        ensure_guarded(workspace)
        assert unguarded(workspace) is None


def test_many_at_once_keep_somebody_s_hook(sandbox: GitSandbox) -> None:
    own = "#!/bin/sh\nexit 0\n"
    hook_of(sandbox).write_text(own)
    threads = [threading.Thread(target=install_hook, args=(GitRepository(sandbox.folder),)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert hook_of(sandbox).read_bytes() == script()
    assert hook_of(sandbox).with_name("pre-push.before-lepton").read_text() == own


def test_who_stopped_half_way_goes_on(sandbox: GitSandbox) -> None:
    hook_of(sandbox).write_text("#!/bin/sh\nexit 0\n")
    hook_of(sandbox).with_name("pre-push.before-lepton").hardlink_to(hook_of(sandbox))
    install_hook(GitRepository(sandbox.folder))
    assert hook_of(sandbox).read_bytes() == script()
