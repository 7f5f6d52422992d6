"""git itself (`git check-attr`) is the judge of what attribute files say, as files of a work tree and in an index."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

import pytest

from git_lepton.format.attributes.lines import MAX_FILE_BYTES, Value
from git_lepton.format.attributes.pathname_glob import compile_glob
from git_lepton.format.attributes.reading import AttributeReading
from git_lepton.format.attributes.work import TooMuchWork, Work
from tests.format.attributes.generated_trees import NAMES, attribute_file, some_paths
from tests.support.git_sandbox import GitSandbox

TREES_AT_ONCE, ROUNDS = 10, 200  # trees under one top: each has files of its own, and shares those of the top
Files = dict[bytes, bytes]
Answers = dict[tuple[bytes, bytes], bytes]


class Judge:
    """A repository that takes attribute files in, to be read by git."""

    def __init__(self, folder: Path) -> None:
        self.sandbox = GitSandbox.create(folder / "repository", filter=None, track=None)
        self.own = folder / "attributes"
        self.sandbox.git("config", "core.attributesFile", str(self.own))
        self._written: list[Path] = []

    def take(self, files: Files, private: bytes = b"", own: bytes = b"") -> None:
        """These files, in work tree and index alike."""
        for old in self._written:
            old.unlink()
        self._written = [self.sandbox.path(os.fsdecode(path)) for path in files]
        for place, content in zip(self._written, files.values(), strict=True):
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        self.sandbox.path(".git/info").mkdir(exist_ok=True)
        self.sandbox.path(".git/info/attributes").write_bytes(private)
        self.own.write_bytes(own)
        self.sandbox.path(".git/index").unlink(missing_ok=True)
        self.sandbox.git("update-index", "--add", "-z", "--stdin", stdin=b"\0".join([*files, b""]))

    def answers(self, paths: list[bytes], *, in_index: bool, ignore_case: bool = False) -> Answers:
        case = ("-c", f"core.ignoreCase={str(ignore_case).lower()}")
        arguments = (*case, "check-attr", *(["--cached"] if in_index else []), "--stdin", "-z", *map(os.fsdecode, NAMES))
        fields = os.fsencode(self.sandbox.git(*arguments, stdin=b"\0".join([*paths, b""]))).split(b"\0")[:-1]
        return {(name, path): value for path, name, value in zip(fields[::3], fields[1::3], fields[2::3], strict=True)}


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Judge:
    return Judge(tmp_path_factory.mktemp("judge"))


def as_git_says_it(value: Value) -> bytes:
    if isinstance(value, bytes):
        return value
    return b"unspecified" if value is None else b"set" if value else b"unset"


def trees_under_one_top(random: Random) -> tuple[Files, list[bytes]]:
    files, paths = Files(), list[bytes]()
    for number in range(TREES_AT_ONCE):
        folders, below = some_paths(random)
        for folder in folders:
            if random.random() < (0.8 if not folder else 0.4):
                seen = [path.removeprefix(folder) for path in below if path.startswith(folder)] or below
                files[b"%d/%s.gitattributes" % (number, folder)] = attribute_file(random, seen)
        paths += [b"%d/%s" % (number, path) for path in below]
    if random.random() < 0.8:
        files[b".gitattributes"] = attribute_file(random, paths)
    return files, paths


@pytest.mark.parametrize("quarter", range(4))
def test_two_thousand_trees_mean_what_git_means(judge: Judge, quarter: int) -> None:
    said = 0
    for seed in range(quarter * ROUNDS // 4, (quarter + 1) * ROUNDS // 4):
        random = Random(seed)
        files, paths = trees_under_one_top(random)
        private, own = (attribute_file(random, paths) if random.random() < 0.3 else b"" for _ in range(2))
        ignore_case = random.random() < 0.3
        judge.take(files, private, own)
        for in_index in (True, False):
            expected = judge.answers(paths, in_index=in_index, ignore_case=ignore_case)
            for name in NAMES:
                reading = AttributeReading(files, name, in_index=in_index, private=private, beside=[own], ignore_case=ignore_case)
                found = {path: as_git_says_it(reading.value(path)) for path in paths}
                assert found == {path: expected[name, path] for path in paths}, (seed, in_index, files, private, own)
                said += sum(value != b"unspecified" for value in found.values())
    assert said > 5_000  # or these files concern nothing


BRACKETS = [
    "[[:alnum:]]", "[[:alpha:]]", "[[:blank:]]", "[[:cntrl:]]", "[[:digit:]]", "[[:graph:]]", "[[:lower:]]", "[[:print:]]",
    "[[:punct:]]", "[[:space:]]", "[[:upper:]]", "[[:xdigit:]]", "[[:word:]]", "[a-cX-Z]", "[!a-c]", "[^]-]", "[Q-c]", "[\\x-\\z]",
    "[[:upper:]-z]", "[a-c-e]", "?", "\\B", "[B]", "[\\B]", "[!B]", "[[:digit:]", "[z-a]", "[\x80-\xff]", "[]", "[!]",
]  # fmt: skip


@pytest.mark.parametrize("ignore_case", [False, True])
def test_brackets_mean_what_git_means_for_every_byte(judge: Judge, ignore_case: bool) -> None:
    lines = [bracket.encode("latin-1") + b"%s text=%d\n" % (b"z" * number, number) for number, bracket in enumerate(BRACKETS)]
    files = {b".gitattributes": b"".join(lines)}
    letters = [bytes([byte]) for byte in range(1, 256) if byte != ord("/")]
    paths = [letter + b"z" * number for letter in letters for number in range(len(BRACKETS))]
    judge.take(files)
    expected = judge.answers(paths, in_index=True, ignore_case=ignore_case)
    reading = AttributeReading(files, b"text", ignore_case=ignore_case)
    assert {path: as_git_says_it(reading.value(path)) for path in paths} == {path: expected[b"text", path] for path in paths}


def lepton(files: Files, *paths: bytes, in_index: bool = True) -> set[bytes]:
    return AttributeReading(files, in_index=in_index).paths_with(b"lepton", paths)


@pytest.mark.parametrize("start", [b"\xef\xbb\xbf", b"\0\n"])
def test_a_mark_and_a_nul_are_read_otherwise_in_an_index(judge: Judge, start: bytes) -> None:
    files = {b".gitattributes": start + b"*.bin filter=lepton\n"}
    judge.take(files)
    for in_index in (True, False):
        expected = judge.answers([b"a.bin"], in_index=in_index)[b"filter", b"a.bin"]
        assert (lepton(files, b"a.bin", in_index=in_index) == {b"a.bin"}) == (expected == b"lepton") == (not in_index)


def test_a_file_of_a_hundred_mebibytes_says_nothing() -> None:
    content = b"* filter=lepton\n".ljust(MAX_FILE_BYTES, b"#")
    for size, expected in ((MAX_FILE_BYTES, set[bytes]()), (MAX_FILE_BYTES - 1, {b"a"})):
        reading = AttributeReading({b".gitattributes": content[:size]}, work=Work(MAX_FILE_BYTES))
        assert reading.paths_with(b"lepton", [b"a"]) == expected


def test_macros_that_name_each_other_end(judge: Judge) -> None:
    chain = b"".join(b"[attr]m%d m%d m%d\n" % (number, number + 1, number - 1) for number in range(1, 3000))
    files = {b".gitattributes": chain + b"[attr]m3000 filter=lepton m1\n* m1\n"}
    judge.take(files)
    assert judge.answers([b"a"], in_index=True)[b"filter", b"a"] == b"lepton"
    assert lepton(files, b"a") == {b"a"}


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (b"*a" * 60 + b"b", b"a" * 4000),
        (b"**/*a*a*a*a*a*a*a*z/**/x", b"aaaaaaaaaaaaaaaa/" * 200 + b"aaaaaaaz/y"),
        (b"**/a/" * 60 + b"b", b"a/" * 1000 + b"c"),
        (b"*[ab]?" * 60 + b"c", b"a" * 4000),
        (b"**/" * 300 + b"a", b"b/" * 1000 + b"c"),
    ],
)
def test_no_pattern_takes_for_ever(pattern: bytes, text: bytes) -> None:
    """Tried one after the other, the ways to match these would outlast everybody."""
    assert compile_glob(pattern).match(text) is None
    assert compile_glob(pattern[:-1] + text[-1:]).match(text)


def test_simple_patterns_are_found_and_not_tried(judge: Judge) -> None:
    lines = b"".join(b"*.kind%d filter=lepton\n/deep/er/file%d filter=lepton\n" % (number, number) for number in range(5000))
    work = Work(250_000)
    reading = AttributeReading({b".gitattributes": lines}, work=work)
    paths = [b"some/folder/name%d.kind%d" % (number, number) for number in range(5000)]
    assert reading.paths_with(b"lepton", paths) == set(paths)


def test_what_costs_too_much_is_refused_before_it_is_done() -> None:
    lines = b"".join(b"*a*%d*x filter=lepton\n" % number for number in range(1000))
    for work in (Work(100), Work(50_000)):
        with pytest.raises(TooMuchWork, match="steps"):
            AttributeReading({b".gitattributes": lines}, work=work).paths_with(
                b"lepton", [b"a%dx" % number for number in range(999)]
            )
