"""git itself is the judge of what a .gitattributes file says."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from git_lepton.git.attributes import OURS, AttributeLine, parse_line, quote, tracked_patterns, with_pattern, without_pattern

LINE = b"*.bin filter=lepton diff=lepton -merge -text\n"


def attributes(folder: Path, content: bytes, path: str) -> dict[str, str]:
    """What git says about a path with this .gitattributes."""
    (folder / ".gitattributes").write_bytes(content)
    subprocess.run(["git", "init", "-q", folder], check=True)
    command = ["git", "check-attr", "-z", "filter", "diff", "merge", "text", "lockable", "--", path]
    fields = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.split("\0")
    return dict(zip(fields[1::3], fields[2::3], strict=False))


def is_ours(found: dict[str, str]) -> bool:
    return (found["filter"], found["diff"], found["merge"], found["text"]) == ("lepton", "lepton", "unset", "unset")


def test_a_new_pattern_is_the_last_line_and_a_second_time_changes_nothing() -> None:
    content = with_pattern(b"*.txt text\n# models\n", "*.bin")
    assert content == b"*.txt text\n# models\n" + LINE
    assert with_pattern(content, "*.bin") == content


@pytest.mark.parametrize("before", [b"*.txt text", b"*.txt text\r\n", b"*.txt text\r\n*.c text\r\n", b""])
def test_line_endings_stay_as_they_are(before: bytes) -> None:
    after = with_pattern(before, "*.bin")
    assert after.startswith(before)
    assert after.count(b"\r\n") == (after.count(b"\n") if b"\r\n" in before else 0)
    assert tracked_patterns(after) == ["*.bin"]


@pytest.mark.parametrize(
    ("before", "exception"),
    [
        (b"* text=auto\n", False),
        (b"*.bin filter=lfs diff=lfs merge=lfs -text\n* text=auto\n", False),
        (LINE + b"* text=auto eol=crlf\n", False),
        (b"*.bin filter=lfs diff=lfs merge=lfs -text lockable\nsmall.bin -filter\n", True),
    ],
)
def test_ours_counts_and_exceptions_below_a_line_of_git_lfs_stay(tmp_path: Path, before: bytes, exception: bool) -> None:
    after = with_pattern(before, "*.bin")
    assert is_ours(attributes(tmp_path, after, "model.bin"))
    assert b"lfs" not in after
    if exception:
        assert attributes(tmp_path, after, "small.bin")["filter"] == "unset"
        assert attributes(tmp_path, after, "model.bin")["lockable"] == "set"


def test_other_patterns_of_git_lfs_are_left_alone() -> None:
    lfs = b"*.psd filter=lfs diff=lfs merge=lfs -text\n"
    assert with_pattern(lfs, "*.bin") == lfs + LINE
    assert tracked_patterns(lfs) == []


@pytest.mark.parametrize("pattern", ["my models/*.bin", '"quoted".bin', "#hash.bin", "back\\\\slash.bin", "naïve ü.bin"])
def test_git_reads_quoted_patterns_as_they_were_meant(tmp_path: Path, pattern: str) -> None:
    path = pattern.replace("*", "a").replace("\\\\", "\\")  # a pattern's own escapes
    assert is_ours(attributes(tmp_path, with_pattern(b"", pattern), path))


@given(
    st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1).filter(lambda text: not text.startswith("[attr]")),
    st.lists(st.sampled_from(["-text", "a=b", "!c"])),
)
def test_a_line_is_read_as_it_was_written(pattern: str, rest: list[str]) -> None:
    parsed = parse_line(AttributeLine(pattern, tuple(rest)).encode())
    assert parsed is not None
    assert (parsed.pattern, parsed.attributes) == (pattern, tuple(rest))
    assert b"\n" not in quote(pattern)


@given(st.lists(st.sampled_from([b"*.txt text", b"", b"# note", b"*.bin -diff", b"* text=auto", b"*.psd filter=lfs", b"\x80 a"])))
def test_untrack_takes_back_what_track_did(lines: list[bytes]) -> None:
    before = b"".join(line + b"\n" for line in lines)
    assert without_pattern(with_pattern(before, "*.bin"), "*.bin") == before


def test_untrack_keeps_what_is_not_ours() -> None:
    assert without_pattern(LINE.replace(b"-text", b"-text lockable"), "*.bin") == b"*.bin lockable\n"
    assert without_pattern(LINE, "*.other") == LINE


def test_comments_and_macros_are_no_patterns() -> None:
    assert [parse_line(line) for line in (b"", b"  \n", b"# *.bin filter=lepton", b"[attr]weights filter=lepton")] == [None] * 4
    assert OURS == ("filter=lepton", "diff=lepton", "-merge", "-text")


def test_a_line_of_an_earlier_release_is_brought_up_to_date_and_taken_back() -> None:
    before = b"*.bin filter=lepton diff=lepton merge=lepton -text lockable\n"
    assert with_pattern(before, "*.bin") == b"*.bin filter=lepton diff=lepton -merge -text lockable\n"
    assert without_pattern(before, "*.bin") == b"*.bin lockable\n"
