"""Single settings: where each comes from, what is refused, and that reading none costs nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from git_lepton.git.repository import GitRepository
from git_lepton.settings import SETTINGS, BadSetting, Settings
from tests.support.git_sandbox import GitSandbox


@pytest.fixture
def sandbox(tmp_path: Path) -> GitSandbox:
    return GitSandbox.create(tmp_path / "repo", filter=None, track=None)


def settings(sandbox: GitSandbox, **environment: str) -> Settings:
    return Settings(GitRepository(sandbox.folder), environment)


def test_defaults_hold_where_nothing_is_set(sandbox: GitSandbox) -> None:
    found = settings(sandbox)
    assert (found.smudge_limit, found.scratch_limit, found.codecs, found.concurrency) == (128 * 2**20, None, None, 4)
    assert (found.token, found.token_host, found.skip_smudge) == (None, None, False)


@pytest.mark.parametrize(
    ("text", "expected"), [("0", 0), ("17", 17), ("4k", 4096), ("4K", 4096), ("2m", 2 << 20), ("1g", 1 << 30)]
)
def test_sizes_are_written_as_git_writes_them(sandbox: GitSandbox, text: str, expected: int) -> None:
    sandbox.git("config", "lepton.smudgeLimit", text)
    assert settings(sandbox).smudge_limit == expected


@pytest.mark.parametrize(
    ("key", "value", "name"),
    [
        ("lepton.smudgeLimit", "many", "smudge_limit"),
        ("lepton.smudgeLimit", "-1", "smudge_limit"),
        ("lepton.smudgeLimit", "k", "smudge_limit"),
        ("lepton.concurrency", "0", "concurrency"),
        ("lepton.concurrency", "65", "concurrency"),
        ("lepton.codecs", "zstd", "codecs"),
        ("lepton.codecs", "300", "codecs"),
        ("lepton.codecs", "", "codecs"),
    ],
)
def test_a_wrong_value_is_refused_and_its_key_named(sandbox: GitSandbox, key: str, value: str, name: str) -> None:
    sandbox.git("config", key, value)
    with pytest.raises(BadSetting, match=key) as caught:
        settings(sandbox).value(name)
    assert caught.value.exit_code == 2
    assert f"git config {key}" in caught.value.hint


def test_raw_is_always_among_the_codecs(sandbox: GitSandbox) -> None:
    sandbox.git("config", "lepton.codecs", "1, 2")
    assert settings(sandbox).codecs == frozenset({0, 1, 2})


@pytest.mark.parametrize(("text", "expected"), [("1", True), ("yes", True), ("0", False), ("", False)])
def test_flags_of_the_environment(sandbox: GitSandbox, text: str, expected: bool) -> None:
    assert settings(sandbox, GIT_LEPTON_SKIP_SMUDGE=text).skip_smudge is expected


def test_a_later_entry_wins_and_a_key_without_value_is_true(sandbox: GitSandbox) -> None:
    sandbox.git("config", "--add", "lepton.concurrency", "2")
    sandbox.git("config", "--add", "lepton.concurrency", "3")
    with (sandbox.folder / ".git" / "config").open("a") as file:
        file.write("[lepton]\n\tsomething\n")
    found = settings(sandbox)
    assert found.concurrency == 3
    assert found.config.last("lepton.Something") == "true"


def test_the_source_of_a_value_is_known(sandbox: GitSandbox) -> None:
    sandbox.git("config", "lepton.concurrency", "7")
    found = settings(sandbox, GIT_LEPTON_TOKEN="t")
    assert found.value_and_source("concurrency") == (7, "lepton.concurrency")
    assert found.value_and_source("token") == ("t", "GIT_LEPTON_TOKEN")
    assert found.value_and_source("smudge_limit")[1] == "default"


def test_the_table_has_a_place_and_a_sentence_for_every_setting() -> None:
    for setting in SETTINGS:
        assert setting.text.endswith(".")
        assert bool(setting.key) != bool(setting.variable)
        assert setting.variable.startswith("GIT_LEPTON_") or setting.key.startswith("lepton.")


def test_without_git_the_environment_alone_counts() -> None:
    found = Settings(None, {"GIT_LEPTON_TOKEN": "t"})
    assert (found.token, found.concurrency, found.trusted_hosts) == ("t", 4, [])


def test_white_space_at_the_ends_of_a_token_and_its_host_is_no_part_of_them() -> None:
    found = Settings(None, {"GIT_LEPTON_TOKEN": " lpt_t\r\n", "GIT_LEPTON_HOST": "store.example\n"})
    assert (found.token, found.token_host) == ("lpt_t", "store.example")
    assert Settings(None, {"GIT_LEPTON_TOKEN": "\n", "GIT_LEPTON_HOST": " "}).token is None
    assert Settings(None, {"GIT_LEPTON_HOST": " "}).token_host is None


def test_what_is_no_token_is_refused_and_not_quoted() -> None:
    with pytest.raises(BadSetting) as caught:
        _ = Settings(None, {"GIT_LEPTON_TOKEN": "lpt_one\nlpt_two"}).token
    assert caught.value.exit_code == 2
    assert "GIT_LEPTON_TOKEN" in caught.value.message
    assert "lpt_" not in f"{caught.value.message} {caught.value.hint}"
    assert caught.value.__cause__ is None  # which a crash report would show


def test_insteadof_rewrites_by_the_longest_prefix(sandbox: GitSandbox) -> None:
    sandbox.git("config", "url.http://localhost:1/.insteadOf", "https://store.example/")
    sandbox.git("config", "url.http://localhost:2/.insteadOf", "https://store.example/team/")
    sandbox.git("config", "url.http://localhost:3/.pushInsteadOf", "https://store.example/team/")
    found = settings(sandbox)
    assert found.rewrite("https://store.example/a/b") == "http://localhost:1/a/b"
    assert found.rewrite("https://store.example/team/b") == "http://localhost:2/b"
    assert found.rewrite("https://store.example/team/b", push=True) == "http://localhost:3/b"
    assert found.rewrite("https://elsewhere.example/a") == "https://elsewhere.example/a"


def test_settings_import_nothing_heavy() -> None:
    heavy = ("numpy", "urllib3", "asyncio", "zstandard", "tomllib", "dataclasses")
    code = f"import sys, git_lepton.settings; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
