"""A push may land if and only if every lepton path in every commit that it brings is as it must be."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from git_lepton.format.attributes.work import TooMuchWork, Work
from git_lepton.format.identifiers import ObjectId
from git_lepton.format.pointer import Pointer
from lepton_server.git.program import Git
from lepton_server.git.pushed_files import AttributeReader, PushedFile
from lepton_server.git.weight_check import MAX_NAMED, Findings, Wrong, check_push
from lepton_server.wording import printable
from tests.support.git_sandbox import GitSandbox


def pointer(name: str, size: int = 7) -> bytes:
    return Pointer(ObjectId(hashlib.sha256(name.encode()).digest()), size).encode()


STORED, ABSENT = pointer("stored"), pointer("absent")
COVERED = "*.bin filter=lepton diff=lepton merge=lepton -text\n"


def stored_sizes(oids: Iterable[bytes]) -> dict[bytes, int]:
    return {oid: 7 for oid in oids if oid == hashlib.sha256(b"stored").digest()}


class Push:
    """A work tree and the server's repository that can see its objects."""

    def __init__(self, folder: Path) -> None:
        self.work = GitSandbox.create(folder / "work", filter=None)
        self.server = GitSandbox.create(folder / "server", filter=None, track=None)
        (self.server.folder / ".git/objects/info/alternates").write_text(f"{self.work.folder}/.git/objects\n")

    def landed(self, tip: str) -> None:
        self.server.git("update-ref", "refs/heads/main", tip)

    def check(self, *tips: str) -> Findings:
        return check_push(Git(self.server.path(".git")), tips or (self.work.head(),), stored_sizes)


@pytest.fixture
def push(tmp_path: Path) -> Push:
    return Push(tmp_path)


def kinds(findings: Findings) -> dict[Wrong, int]:
    return {wrong: len(places) for wrong, places in findings.named.items()}


def test_stored_pointers_empty_files_and_other_files_may_land(push: Push) -> None:
    push.work.commit(**{"w.bin": STORED, "sub/w.bin": STORED, "none.bin": b"", "code.py": b"x" * 5000})
    assert push.check().text() == ""


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        (ABSENT, Wrong.MISSING),
        (b"\0" * 5000, Wrong.RAW),
        (b"a few raw bytes", Wrong.RAW),
        (STORED + b"x", Wrong.DAMAGED),
        (STORED.replace(b"\n", b"\r\n"), Wrong.DAMAGED),
        (STORED.replace(b"/v1", b"/v2"), Wrong.VERSION),
        (STORED + b" " * 1024, Wrong.RAW),
        (pointer("stored", 8), Wrong.SIZE),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 1\n", Wrong.RAW),
    ],
)
def test_what_may_not_land(push: Push, content: bytes, wrong: Wrong) -> None:
    commit = push.work.commit(**{"models/w.bin": content})
    text = push.check().text()
    assert kinds(push.check()) == {wrong: 1}
    assert "models/w.bin" in text
    assert commit[:12] in text
    assert all(sentence in text for sentence in wrong.value)


def test_a_missing_pointer_is_named_by_its_oid(push: Push) -> None:
    push.work.commit(**{"w.bin": ABSENT})
    assert f"oid sha256:{hashlib.sha256(b'absent').hexdigest()}" in push.check().text()


@pytest.mark.parametrize(
    "attributes", ["", "*.txt -filter\n", "\ufeff*.txt filter=lepton\n", "\0\n*.txt filter=lepton\n", "*.TXT filter=lepton\n"]
)
def test_a_pointer_is_one_at_any_path(push: Push, attributes: str) -> None:
    """Somebody's work tree may say of its path what an index does not: the first line is marked, or case is ignored there."""
    push.work.commit(
        **{"sub/.gitattributes": attributes, "sub/a.txt": ABSENT, "sub/b.txt": STORED, "sub/c.txt": pointer("stored", 8)}
    )
    assert kinds(push.check()) == {Wrong.MISSING: 1, Wrong.SIZE: 1}
    assert "sub/a.txt" in push.check().text()


@pytest.mark.parametrize("content", [b"\n" + ABSENT, ABSENT + b"x", ABSENT.replace(b"/v1", b"/v2"), ABSENT * 2, b"x" * 110])
def test_what_is_no_pointer_is_ordinary_text_at_another_path(push: Push, content: bytes) -> None:
    push.work.commit(**{"tests/fixture.txt": content})
    assert push.check().total == 0


def test_a_pointer_without_attributes_in_the_middle_of_history_is_found(push: Push) -> None:
    push.work.path(".gitattributes").unlink()
    push.work.commit("none", **{"a.txt": "a"})
    bad = push.work.commit(**{"w.bin": ABSENT})
    push.work.commit(**{"w.bin": "text"})
    assert bad[:12] in push.check().text()


def test_attribute_files_that_cost_too_much_are_refused_with_a_sentence(push: Push) -> None:
    lines = "".join(f"*a*a*{number}*z filter=lepton\n" for number in range(2000))
    push.work.commit(**{".gitattributes": lines, "a" * 60 + "z": "a"})
    with pytest.raises(TooMuchWork, match=r"patterns for so many paths \(more than 100,000 steps\)"):
        check_push(Git(push.server.path(".git")), (push.work.head(),), stored_sizes, Work(100_000))


def test_a_fault_in_the_middle_of_history_is_found(push: Push) -> None:
    bad = push.work.commit(**{"w.bin": ABSENT})
    push.work.commit(**{"w.bin": STORED})
    push.work.path("w.bin").unlink()
    push.work.commit("gone")
    assert push.check().total == 1
    assert bad[:12] in push.check().text()


def test_symlinks_and_submodules_are_no_weights(push: Push) -> None:
    push.work.commit(**{"a.txt": "a"})
    push.work.path("link.bin").symlink_to("elsewhere")
    push.work.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},module.bin")
    push.work.git("add", "link.bin")
    push.work.git("commit", "--quiet", "--message", "both")
    assert push.check().total == 0


def test_a_raw_file_that_becomes_covered_is_refused(push: Push) -> None:
    push.work.commit(**{"w.ckpt": b"\0" * 2000, "sub/w.ckpt": b"\0" * 2000})
    push.landed(push.work.head())
    push.work.commit(**{"sub/.gitattributes": "*.ckpt filter=lepton\n"})
    assert kinds(push.check()) == {Wrong.RAW: 1}
    assert "sub/w.ckpt" in push.check().text()


def test_a_file_whose_exemption_goes_away_is_refused(push: Push) -> None:
    push.work.commit(**{"sub/.gitattributes": "*.bin -filter\n", "sub/w.bin": b"raw"})
    push.landed(push.work.head())
    push.work.path("sub/.gitattributes").unlink()
    push.work.commit("uncovered")
    assert kinds(push.check()) == {Wrong.RAW: 1}


def test_a_raw_file_moved_to_where_it_is_covered_is_refused(push: Push) -> None:
    push.work.commit(**{"raw/.gitattributes": "*.bin -filter\n", "raw/w.bin": b"raw"})
    push.landed(push.work.head())
    push.work.git("mv", "raw/w.bin", "w.bin")
    push.work.commit("moved")
    assert kinds(push.check()) == {Wrong.RAW: 1}


def side_branch(push: Push, name: str, **files: bytes | str) -> None:
    push.work.git("checkout", "--quiet", "-b", name, "main")
    push.work.commit(name, **files)


@pytest.mark.parametrize(("into", "merged"), [("raw", "covers"), ("covers", "raw")])
def test_a_merge_of_raw_weights_with_attributes_that_cover_them(push: Push, into: str, merged: str) -> None:
    """No path of the merge differs from both parents, and yet it is the merge that makes the file a lepton path."""
    push.work.commit(**{"a.txt": "a"})
    side_branch(push, "raw", **{"w.ckpt": b"\0" * 3000})
    side_branch(push, "covers", **{".gitattributes": "*.ckpt filter=lepton\n"})
    for branch in ("raw", "covers"):
        assert push.check(push.work.git("rev-parse", branch).strip()).total == 0
        push.server.git("update-ref", f"refs/heads/{branch}", push.work.git("rev-parse", branch).strip())
    push.work.git("checkout", "--quiet", into)
    push.work.git("merge", "--quiet", "--no-edit", merged)
    assert kinds(push.check()) == {Wrong.RAW: 1}


def test_an_evil_merge_that_brings_a_file_of_its_own(push: Push) -> None:
    push.work.commit(**{"a.txt": "a"})
    side_branch(push, "one", **{"one.txt": "1"})
    side_branch(push, "two", **{"two.txt": "2"})
    push.work.git("merge", "--quiet", "--no-commit", "--no-ff", "one")
    push.work.commit("evil", **{"w.bin": ABSENT})
    assert kinds(push.check()) == {Wrong.MISSING: 1}


def test_a_merge_of_what_is_accepted_is_accepted(push: Push) -> None:
    push.work.commit(**{"a.txt": "a"})
    side_branch(push, "one", **{"one.bin": STORED})
    side_branch(push, "two", **{"two.bin": STORED})
    push.work.git("merge", "--quiet", "--no-edit", "one")
    assert push.check().total == 0


def test_history_behind_refs_replace_is_the_real_one(push: Push) -> None:
    clean = push.work.commit(**{"a.txt": "a"})
    push.landed(clean)
    bad = push.work.commit(**{"w.bin": ABSENT})
    push.server.git("update-ref", f"refs/replace/{bad}", clean)
    assert push.check(bad).total == 1


def test_a_tag_of_a_tree_is_looked_at(push: Push) -> None:
    push.work.commit(**{"w.bin": ABSENT})
    push.work.git("tag", "--annotate", "--message", "tree", "tree", "HEAD^{tree}")
    tag, blob = push.work.git("rev-parse", "tree", "HEAD:w.bin").split()
    assert push.check(tag).total == 1
    assert push.check(blob).total == 0


def test_at_most_ten_are_named_and_the_rest_counted(push: Push) -> None:
    push.work.commit(**{f"w{number:02}.bin": f"raw {number}" for number in range(14)})
    findings = push.check()
    assert findings.total == 14
    assert sum(kinds(findings).values()) == MAX_NAMED
    assert "... and 4 more." in findings.text()


def test_a_path_cannot_speak_to_the_terminal() -> None:
    assert printable(b"a\x1b[2Jb\n\xff") == "a\\x1b[2Jb\\n\\xff"
    findings = Findings()
    findings.add(Wrong.RAW, PushedFile(b"a\x1b[2J.bin", "0" * 40, "1" * 40), "")
    assert "\x1b" not in findings.text()


# the same answer as looking at every file of every commit

CONTENTS = [STORED, ABSENT, b"raw", b"", b"more raw bytes"]
ATTRIBUTES = [b"*.bin filter=lepton\n", b"*.bin -filter\n", b"* filter=lepton\n", b"a.bin !filter\n", b"/s/*.bin filter=lepton\n"]
FILES = ["a.bin", "b.txt", "s/a.bin", "s/t/a.bin", "s/b.txt"]
FOLDERS = ["", "s/", "s/t/"]
change = st.one_of(
    st.tuples(st.sampled_from(FILES), st.sampled_from(CONTENTS)),
    st.tuples(st.sampled_from([f"{folder}.gitattributes" for folder in FOLDERS]), st.sampled_from(ATTRIBUTES)),
    st.tuples(st.sampled_from([*FILES, *(f"{folder}.gitattributes" for folder in FOLDERS)]), st.none()),
)
step = st.tuples(st.lists(change, max_size=3), st.integers(0, 5), st.one_of(st.none(), st.integers(0, 5)))


def fast_import(steps: list[tuple[list[tuple[str, bytes | None]], int, int | None]]) -> bytes:
    """Commits one after the other; each has as parents the one so many steps back and perhaps a second one."""
    out = bytearray()
    for number, (changes, back, other) in enumerate(steps, 1):
        out += b"commit refs/heads/c%d\nmark :%d\ncommitter A <a@b> %d +0000\ndata 0\n" % (number, number, number)
        parents = {max(1, number - 1 - step_back) for step_back in (back, other) if step_back is not None and number > 1}
        for word, parent in zip((b"from", b"merge"), sorted(parents, reverse=number % 2 == 0), strict=False):
            out += b"%s :%d\n" % (word, parent)
        for path, content in changes:
            if content is None:
                out += b"D %s\n" % path.encode()
            else:
                out += b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(content), content)
        out += b"\n"
    return bytes(out)


def faults_by_looking_at_everything(git: Git, commits: Iterable[str]) -> set[tuple[bytes, str]]:
    faults = set()
    reader = AttributeReader(git)
    for commit in commits:
        rows = [row.split(b"\t", 1) for row in git.run("ls-tree", "-r", "-z", commit).split(b"\0")[:-1]]
        tree = {path: head.split(b" ")[2].decode() for head, path in rows}
        attributes = {path: blob for path, blob in tree.items() if path.rpartition(b"/")[2] == b".gitattributes"}
        ours = reader.lepton_paths(attributes, tree)
        for path, blob in tree.items():
            content = git.run("cat-file", "blob", blob)
            if content == ABSENT or (path in ours and content not in (STORED, b"")):
                faults.add((path, blob))
    return faults


@pytest.mark.thorough
@settings(max_examples=30)
@given(st.lists(step, min_size=2, max_size=8), st.integers(0, 4))
def test_nothing_slips_through_and_nothing_is_refused_without_reason(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[list[tuple[str, bytes | None]], int, int | None]], landed: int
) -> None:
    folder = tmp_path_factory.mktemp("random")
    scratch, server = GitSandbox(folder), GitSandbox(folder / "server.git")
    scratch.git("init", "--quiet", "--bare", "server.git")
    server.git("fast-import", "--quiet", "--force", stdin=fast_import(steps))
    git = Git(server.folder)
    tips = git.run("for-each-ref", "--sort=version:refname", "--format=%(objectname)").decode().split()
    for number in range(1, len(tips) + 1):
        server.git("update-ref", "-d", f"refs/heads/c{number}")
    old = tips[:landed]
    if old and not faults_by_looking_at_everything(git, git.run("rev-list", *old).decode().split()):
        for number, tip in enumerate(old):  # what was accepted once; what it brings is not looked at again
            server.git("update-ref", f"refs/heads/old{number}", tip)
    new = git.run("rev-list", *tips, "--not", "--all").decode().split()
    findings = check_push(git, tips, stored_sizes)
    assert findings._seen == faults_by_looking_at_everything(git, new)


def cpu_seconds() -> float:
    """What this process and those that it waited for have worked: other than the clock, it does not tell how busy the machine is."""
    return sum(os.times()[:4])


@pytest.mark.thorough
def test_one_changed_file_among_many_is_quick(tmp_path: Path) -> None:
    push = Push(tmp_path)
    names = [f"d{number % 100}/e{number // 100 % 50}/f{number}.txt" for number in range(20_000)]
    lines = "".join(f"M 100644 inline {name}\ndata 1\nx\n" for name in [*names])
    head = "commit refs/heads/main\nmark :1\ncommitter A <a@b> 1 +0000\ndata 0\n"
    more = "commit refs/heads/more\ncommitter A <a@b> 2 +0000\ndata 0\nfrom :1\nM 100644 inline d5/e5/w.bin\n"
    covered = f"M 100644 inline .gitattributes\ndata {len(COVERED)}\n{COVERED}\n"
    script = f"{head}{covered}{lines}\n{more}data {len(STORED)}\n{STORED.decode()}\n"
    push.server.git("fast-import", "--quiet", stdin=script.encode())
    tip = push.server.git("rev-parse", "more").strip()
    push.server.git("update-ref", "-d", "refs/heads/more")
    started = cpu_seconds()
    assert push.check(tip).total == 0
    assert cpu_seconds() - started < 0.5
