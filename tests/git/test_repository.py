"""Look-ups in real repositories."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from git_lepton.errors import WrongUse
from git_lepton.git.repository import SMALL, GitFailed, GitMissing, GitRepository, NotARepository
from tests.support.git_sandbox import GitSandbox


@pytest.fixture
def sandbox(tmp_path: Path) -> GitSandbox:
    return GitSandbox.create(tmp_path / "repository", filter=None)


def test_it_is_found_from_a_folder_below(sandbox: GitSandbox) -> None:
    sandbox.write("a/b/file", "x")
    repository = GitRepository.find(sandbox.folder / "a/b")
    assert repository.top_level == sandbox.folder
    assert repository.git_dir == repository.common_dir == sandbox.folder / ".git"
    assert repository.work_tree() == sandbox.folder


def test_worktrees_share_one_common_folder(sandbox: GitSandbox, tmp_path: Path) -> None:
    sandbox.commit(a="1")
    sandbox.git("worktree", "add", "--quiet", str(tmp_path / "second"))
    repository = GitRepository.find(tmp_path / "second")
    assert repository.common_dir == sandbox.folder / ".git"
    assert repository.git_dir == sandbox.folder / ".git/worktrees/second"
    assert repository.top_level == tmp_path / "second"


def test_a_bare_repository_has_no_work_tree(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", "--bare", tmp_path / "bare"], check=True)
    repository = GitRepository.find(tmp_path / "bare")
    assert repository.top_level is None
    assert repository.common_dir == tmp_path / "bare"
    with pytest.raises(WrongUse, match="bare"):
        repository.work_tree()


def test_outside_of_any_and_in_no_folder_at_all(tmp_path: Path) -> None:
    with pytest.raises(NotARepository):
        GitRepository.find(tmp_path)
    with pytest.raises(WrongUse, match="no folder"):
        GitRepository.find(tmp_path / "absent")


def test_without_git_there_is_one_sentence(sandbox: GitSandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GitMissing, match="git is not on PATH"):
        GitRepository.find(sandbox.folder)


def test_a_failure_says_what_git_said(sandbox: GitSandbox) -> None:
    with pytest.raises(GitFailed, match=r"fatal: .*nothing-here") as failure:
        GitRepository(sandbox.folder).run("cat-file", "blob", "nothing-here")
    assert failure.value.status == 128


def test_the_given_place_keeps_gits_variables_and_a_named_one_drops_them(
    sandbox: GitSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = GitSandbox.create(tmp_path / "other", filter=None)
    monkeypatch.setenv("GIT_DIR", str(other.folder / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other.folder))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "an index"))
    monkeypatch.chdir(sandbox.folder)
    assert GitRepository.find().git_dir == other.folder / ".git"
    assert GitRepository.find(sandbox.folder).git_dir == sandbox.folder / ".git"
    assert GitRepository().environment()["GIT_INDEX_FILE"] == str(tmp_path / "an index")
    assert "GIT_INDEX_FILE" not in GitRepository(sandbox.folder).environment()


def test_lookups_take_no_lock(sandbox: GitSandbox) -> None:
    sandbox.commit(a="1")
    sandbox.path("a").touch()
    (sandbox.folder / ".git/index.lock").touch()
    assert GitRepository(sandbox.folder).run("status", "--porcelain") == b""


def test_configuration(sandbox: GitSandbox, clean_environment: Path) -> None:
    repository = GitRepository(sandbox.folder)
    assert repository.config("lepton.absent") is None
    repository.set_config("lepton.smudgeLimit", "1m")
    repository.add_config("remote.My Store.URL", "https://one")
    repository.add_config("remote.My Store.url", "https://two\nlines")
    repository.set_config("lepton.url", "global", scope="global")
    assert repository.config("LEPTON.smudgelimit") == "1m"
    assert repository.config_all("remote.My Store.URL") == ["https://one", "https://two\nlines"]
    assert repository.config("remote.my store.url") is None
    assert "global" in (clean_environment / ".gitconfig").read_text()
    assert repository.unset_config("lepton.smudgeLimit") is True
    assert repository.unset_config("lepton.smudgeLimit") is False
    assert repository.config("lepton.smudgeLimit") is None
    assert repository.remove_config_section("remote.My Store") is True
    assert repository.remove_config_section("remote.My Store") is False


def test_configuration_without_a_value_and_for_a_url(sandbox: GitSandbox) -> None:
    with (sandbox.folder / ".git/config").open("a") as file:
        file.write('[lepton]\n\tbare\n[http]\n\tproxy = general\n[http "https://store.example"]\n\tproxy = special\n')
    repository = GitRepository(sandbox.folder)
    assert repository.config("lepton.bare") == "true"
    assert repository.config_for_url("http.proxy", "https://store.example/x") == "special"
    assert repository.config_for_url("http.proxy", "https://other.example/x") == "general"
    assert repository.config_for_url("http.sslCAInfo", "https://other.example/x") is None


def test_revisions_refs_and_branch(sandbox: GitSandbox) -> None:
    repository = GitRepository(sandbox.folder)
    assert repository.branch() == "main"
    assert repository.rev_parse("HEAD") is None
    head = sandbox.commit(a="content")
    sandbox.git("tag", "v1")
    assert repository.rev_parse("HEAD") == head
    assert repository.rev_parse("--all") is None
    assert repository.refs() == {"refs/heads/main": head, "refs/tags/v1": head}
    assert repository.refs("refs/tags/") == {"refs/tags/v1": head}
    assert repository.read_blob("HEAD:a") == b"content"
    sandbox.git("checkout", "--quiet", "--detach")
    assert repository.branch() is None


def test_hooks_are_where_git_says(sandbox: GitSandbox, tmp_path: Path) -> None:
    assert GitRepository(sandbox.folder).git_path("hooks") == sandbox.folder / ".git/hooks"
    sandbox.git("config", "core.hooksPath", str(tmp_path / "hooks"))
    assert GitRepository(sandbox.folder).git_path("hooks") == tmp_path / "hooks"


def test_index_entries_are_files_with_what_a_sparse_checkout_leaves_out(sandbox: GitSandbox) -> None:
    sandbox.path("link").symlink_to("elsewhere")
    sandbox.commit(files={"in/a b.bin": "1", "out/ü\n.bin": "2", "plain": "3"})
    sandbox.git("sparse-checkout", "set", "in")
    sandbox.git("update-index", "--assume-unchanged", "plain")
    entries = {entry.path: entry for entry in GitRepository(sandbox.folder).index_entries()}
    assert set(entries) == {".gitattributes", "in/a b.bin", "out/ü\n.bin", "plain"}
    assert [path for path, entry in entries.items() if entry.skipped] == ["out/ü\n.bin"]
    assert [path for path, entry in entries.items() if not entry.watched] == ["out/ü\n.bin", "plain"]
    assert entries["plain"].mode == "100644"
    assert entries["plain"].blob == sandbox.git("rev-parse", "HEAD:plain").strip()
    assert [entry.path for entry in GitRepository(sandbox.folder / "in").index_entries("a b.bin")] == ["in/a b.bin"]


def test_paths_that_are_ours_in_the_work_tree_and_in_a_revision(sandbox: GitSandbox) -> None:
    sandbox.commit(files={"a.bin": "1", "deep/b.bin": "2", "c.txt": "3", "deep/.gitattributes": "b.bin -filter\n"})
    sandbox.write(".gitattributes", "*.txt filter=lepton\n")
    repository = GitRepository(sandbox.folder)
    paths = ["a.bin", "deep/b.bin", "c.txt"]
    assert repository.lepton_paths(paths) == {"c.txt"}
    assert repository.lepton_paths(paths, "HEAD") == {"a.bin"}
    assert repository.lepton_paths([]) == set()
    assert sandbox.status().strip() == "M .gitattributes"  # the look-up left the index as it was


def test_small_blobs_of_index_and_tree(sandbox: GitSandbox) -> None:
    big, small = "x" * (SMALL + 1), "x" * SMALL
    sandbox.commit(files={"big.bin": big, "d/small.bin": small, "text": "other", "with\nnewline.bin": "n"})
    repository = GitRepository(sandbox.folder)
    index = {blob.path: blob.data for blob in repository.small_blobs_in_index()}
    assert index == {"d/small.bin": small.encode(), "with\nnewline.bin": b"n"}
    tree = {blob.path: blob.data for blob in repository.small_blobs_in_tree("HEAD")}
    assert set(tree) == {".gitattributes", "d/small.bin", "text", "with\nnewline.bin"}
    assert tree["text"] == b"other"


def test_new_blobs_are_those_that_a_push_brings(sandbox: GitSandbox) -> None:
    first = sandbox.commit(files={"a.bin": "one", "big.bin": "y" * 5000})
    sandbox.commit(files={"a.bin": "two", "sub/b c.bin": "three"})
    sandbox.git("rm", "--quiet", "sub/b c.bin")
    second = sandbox.commit(files={"copy.bin": "one"})
    repository = GitRepository(sandbox.folder)

    def brought(tips: list[str], excluded: list[str]) -> dict[str, bytes]:
        return {blob.path: blob.data for blob in repository.new_small_blobs(tips, excluded)}

    assert brought([second], [first]) == {"a.bin": b"two", "sub/b c.bin": b"three"}
    assert brought([second], [second]) == {}
    assert brought([], [first]) == {}
    everything = brought([second], ["0" * 39 + "1"])  # a name that is not here
    assert sorted(everything.values()) == [b"*.bin filter=lepton diff=lepton merge=lepton -text\n", b"one", b"three", b"two"]


def test_new_blobs_of_annotated_tags_and_a_tip_that_is_not_there(sandbox: GitSandbox) -> None:
    sandbox.commit(a="1")
    sandbox.git("tag", "-a", "-m", "a tag", "v1")
    repository = GitRepository(sandbox.folder)
    tag = sandbox.git("rev-parse", "v1").strip()
    assert {blob.path for blob in repository.new_small_blobs([tag])} == {"a", ".gitattributes"}
    with pytest.raises(GitFailed, match="rev-list"):
        list(repository.new_small_blobs(["0" * 39 + "1"]))


def test_a_partial_clone_is_searched_without_fetching(sandbox: GitSandbox, tmp_path: Path) -> None:
    sandbox.commit(files={"old.bin": "old"})
    sandbox.git("config", "uploadpack.allowFilter", "true")
    sandbox.git("config", "uploadpack.allowAnySHA1InWant", "true")
    subprocess.run(
        ["git", "clone", "--quiet", "--filter=blob:none", "--no-checkout", f"file://{sandbox.folder}", tmp_path / "partial"],
        check=True,
    )
    partial = GitSandbox(tmp_path / "partial")
    partial.git("checkout", "--quiet", "HEAD", "--", ".gitattributes")
    partial.write("new.bin", "new")
    partial.git("add", "new.bin")
    partial.git("commit", "--quiet", "-m", "mine")
    (sandbox.folder / ".git").rename(tmp_path / "gone")  # whoever tries to fetch fails
    found = GitRepository(partial.folder).new_small_blobs(["HEAD"], ["refs/remotes/origin/main"])
    assert [(blob.path, blob.data) for blob in found] == [("new.bin", b"new")]


def test_a_reader_that_stops_early_ends_git(sandbox: GitSandbox) -> None:
    sandbox.commit(files={f"{number}.bin": f"{number}" * 50 for number in range(50)})
    lines = GitRepository(sandbox.folder).pipeline(("rev-list", "--objects", "--all"), ("cat-file", "--batch-check", "--buffer"))
    assert next(lines, None) is not None
    lines.close()  # type: ignore[attr-defined]
