"""What git says in a work tree of real files is what the server finds out from objects alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_server.git.blobs import UnsoundObject
from lepton_server.git.program import Git, GitFailed
from lepton_server.git.pushed_files import AttributeReader, brought_files
from tests.support.git_sandbox import GitSandbox

PATHS = [
    b"w.bin",
    b"W.BIN",
    b"sub/w.bin",
    b"sub/deep/w.bin",
    b"sub/deep/w.safetensors",
    b"models/a/b/c.bin",
    b"models/w.bin",
    b"with space.bin",
    b"sub/with space.bin",
    b'quo"te.bin',
    "grün.bin".encode(),
    b"[x].bin",
    b"!w.bin",
    b"#w.bin",
    b"new\nline/w.bin",
    b"tab\t.bin",
    b"w.bin.txt",
    b"bin",
]
LINES = [
    "*.bin filter=lepton",
    "*.bin -filter",
    "*.bin !filter",
    "*.bin filter=lfs",
    "*.bin filter",
    "*.bin filter=lepton-not",
    "*.bin binary",
    "[attr]weights filter=lepton -text",
    "*.bin weights",
    "*.safetensors weights",
    "*.bin -weights",
    "w.bin -weights",
    "sub/*.bin filter=lepton",
    "/w.bin -filter",
    "/w.bin filter=lepton",
    "sub/ filter=lepton",
    "sub/** filter=lepton",
    "**/w.bin filter=lepton",
    "models/**/c.bin filter=lepton",
    "models/*/c.bin filter=lepton",
    '"with space.bin" filter=lepton',
    '"quo\\"te.bin" filter=lepton',
    '"gr\\303\\274n.bin" filter=lepton',
    "\\[x\\].bin filter=lepton",
    "[!w].bin filter=lepton",
    "!w.bin filter=lepton",
    "\\!w.bin filter=lepton",
    "\\#w.bin filter=lepton",
    "# *.bin filter=lepton",
    "* filter=lepton",
    "deep/* filter=lepton",
    "  *.bin\t filter=lepton  ",
    "*.bin filter=lepton filter=none",
    "*.bin text filter=lepton -diff",
    "?.bin filter=lepton",
    "*.bin\r",
    "",
]


def attributes_and_blobs(sandbox: GitSandbox, files: dict[bytes, list[str]]) -> dict[bytes, str]:
    """Write these attribute files into the work tree and the object store. Their paths and blobs."""
    for old in sandbox.folder.rglob(".gitattributes"):
        old.unlink()
    blobs = {}
    for folder, lines in files.items():
        path = folder + b".gitattributes"
        text = "\n".join(lines).encode() + b"\n"
        sandbox.write(path.decode(), text)
        blobs[path] = sandbox.git("hash-object", "-w", "--no-filters", "--stdin", stdin=text).strip()
    return blobs


def lepton_paths_of_git(sandbox: GitSandbox) -> set[bytes]:
    answer = sandbox.run("check-attr", "--stdin", "-z", "filter", stdin=b"\0".join([*PATHS, b""])).stdout.split(b"\0")
    return {path for path, value in zip(answer[0::3], answer[2::3], strict=False) if value == b"lepton"}


@pytest.fixture(scope="module")
def work_tree(tmp_path_factory: pytest.TempPathFactory) -> GitSandbox:
    return GitSandbox.create(tmp_path_factory.mktemp("tree") / "repository", filter=None, track=None)


attribute_files = st.dictionaries(
    st.sampled_from([b"", b"sub/", b"sub/deep/", b"models/", b"models/a/b/"]),
    st.lists(st.sampled_from(LINES), min_size=1, max_size=4),
    max_size=3,
)


@settings(max_examples=80)
@given(attribute_files)
def test_attributes_mean_what_git_means(work_tree: GitSandbox, files: dict[bytes, list[str]]) -> None:
    blobs = attributes_and_blobs(work_tree, files)
    reader = AttributeReader(Git(work_tree.path(".git")))
    assert reader.lepton_paths(blobs, PATHS) == lepton_paths_of_git(work_tree)


@pytest.mark.parametrize("line", LINES)
def test_each_line_alone(work_tree: GitSandbox, line: str) -> None:
    blobs = attributes_and_blobs(work_tree, {b"": ["[attr]weights filter=lepton", line]})
    reader = AttributeReader(Git(work_tree.path(".git")))
    assert reader.lepton_paths(blobs, PATHS) == lepton_paths_of_git(work_tree)


def test_attributes_of_the_servers_owner_do_not_matter(work_tree: GitSandbox, clean_environment: Path) -> None:
    settings_folder = clean_environment / ".config" / "git"
    settings_folder.mkdir(parents=True)
    (settings_folder / "attributes").write_text("* filter=lepton\n")
    blobs = attributes_and_blobs(work_tree, {b"": ["*.safetensors filter=lepton"]})
    reader = AttributeReader(Git(work_tree.path(".git")))
    assert reader.lepton_paths(blobs, PATHS) == {b"sub/deep/w.safetensors"}


def test_a_second_set_of_attributes_replaces_the_first(work_tree: GitSandbox) -> None:
    first = attributes_and_blobs(work_tree, {b"": ["*.bin filter=lepton"], b"sub/": ["* filter=lepton"]})
    second = attributes_and_blobs(work_tree, {b"models/": ["* filter=lepton"]})
    reader = AttributeReader(Git(work_tree.path(".git")))
    assert b"w.bin" in reader.lepton_paths(first, PATHS)
    assert reader.lepton_paths(second, PATHS) == {b"models/a/b/c.bin", b"models/w.bin"}
    assert reader.lepton_paths({}, PATHS) == set()


class History:
    """A work tree, and a server's repository that can see its objects; `landed` moves the server's branch."""

    def __init__(self, folder: Path) -> None:
        self.work = GitSandbox.create(folder / "work", filter=None)
        self.server = GitSandbox.create(folder / "server", filter=None, track=None)
        (self.server.folder / ".git/objects/info/alternates").write_text(f"{self.work.folder}/.git/objects\n")
        self.work.commit("first", **{"a.txt": "a"})
        self.landed()

    def landed(self) -> None:
        self.server.git("update-ref", "refs/heads/main", self.work.head())

    def brought(self, *tips: str) -> set[tuple[bytes, str]]:
        groups = brought_files(Git(self.server.path(".git")), tips)
        return {(file.path, file.commit) for group in groups for file in group.files}


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path)


def test_only_what_a_new_commit_changes(history: History) -> None:
    second = history.work.commit("second", **{"b.bin": "b"})
    third = history.work.commit("third", **{"sub/c.bin": "c"})
    assert history.brought(third) == {(b"b.bin", second), (b"sub/c.bin", third)}
    assert history.brought(second, third) == history.brought(third)
    history.landed()
    assert history.brought(third) == set()


def test_an_empty_commit_brings_nothing(history: History) -> None:
    second = history.work.commit("second", **{"b.bin": "b"})
    for number in range(3):
        history.work.git("commit", "--quiet", "--allow-empty", "--message", f"empty {number}")
    last = history.work.commit("last", **{"c.bin": "c"})
    assert history.brought(last) == {(b"b.bin", second), (b"c.bin", last)}


def test_a_changed_attribute_file_brings_all_files_of_its_folder(history: History) -> None:
    history.work.commit("files", **{"sub/b.bin": "b", "other/c.bin": "c"})
    history.landed()
    nested = history.work.commit("attributes", **{"sub/.gitattributes": "*.bin -filter\n"})
    assert history.brought(nested) == {(b"sub/b.bin", nested), (b"sub/.gitattributes", nested)}
    top = history.work.commit("more", **{".gitattributes": "*.txt filter=lepton\n"})
    assert {path for path, commit in history.brought(top) if commit == top} >= {b"a.txt", b"sub/b.bin", b"other/c.bin"}


def test_a_deleted_attribute_file_counts_as_changed(history: History) -> None:
    history.work.commit("attributes", **{"sub/.gitattributes": "*.bin -filter\n", "sub/b.bin": "b"})
    history.landed()
    history.work.path("sub/.gitattributes").unlink()
    last = history.work.commit("uncovered")
    assert history.brought(last) == {(b"sub/b.bin", last)}


def test_trees_and_tags_of_trees_are_looked_at_whole(history: History) -> None:
    history.work.git("tag", "--annotate", "--message", "a tree", "a-tree", "HEAD^{tree}")
    tag, tree = history.work.git("rev-parse", "a-tree", "HEAD^{tree}").split()
    assert history.brought(tag) == {(b"a.txt", tree), (b".gitattributes", tree)}


def test_a_blob_has_no_path(history: History) -> None:
    assert history.brought(history.work.git("rev-parse", "HEAD:a.txt").strip()) == set()


def test_what_is_absent_is_an_error(history: History) -> None:
    with pytest.raises(UnsoundObject):
        history.brought("1" * 40)


def test_git_that_fails_is_an_error_with_its_words(history: History) -> None:
    git = Git(history.server.path(".git"))
    with pytest.raises(GitFailed, match="rev-list"):
        git.run("rev-list", "no-such-thing")
    with pytest.raises(GitFailed, match="status"), git.stream("rev-list", "no-such-thing") as output:
        output.read()
