"""The table of commands and the boundary around them."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from git_lepton import __version__
from git_lepton.entry import cli
from git_lepton.entry.arguments import BadArguments, parser
from git_lepton.entry.boundary import guarded
from git_lepton.entry.crash_report import without_secrets, write_crash_report
from git_lepton.errors import CorruptData, LeptonError, NetworkTrouble, NotAllowed, WeightsMissing, WrongUse
from tests.support.git_sandbox import GitSandbox


def test_without_arguments_the_commands_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 0
    listed = capsys.readouterr().out
    assert all(f"  {command.name}" in listed for command in cli.COMMANDS if command.group)
    assert "merge-driver" not in listed


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"git-lepton {__version__}\n"


def test_every_command_exists_and_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    for command in cli.COMMANDS:
        assert importlib.util.find_spec(command.module) is not None, command.name
        if command.group:
            assert cli.main([command.name, "-h"]) == 0
            assert f"usage: git lepton {command.name}" in capsys.readouterr().out


def test_only_what_is_required_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["download"]) == WrongUse.exit_code
    assert "arguments are required: SOURCE[@REV], --to\n" in capsys.readouterr().err


def test_help_of_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["help", "track"]) == 0
    assert "usage: git lepton track" in capsys.readouterr().out


def test_an_unknown_command_is_wrong_use_and_the_near_one_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["stauts"]) == 2
    assert (
        capsys.readouterr().err == "git-lepton: 'stauts' is not a command of git-lepton\nhint: Did you mean: git lepton status\n"
    )
    assert cli.main(["xyzzy"]) == 2


def test_wrong_arguments_are_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["push", "--nonsense"]) == 2
    said = capsys.readouterr().err
    assert said.splitlines() == ["git-lepton: unrecognized arguments: --nonsense", "hint: Run: git-lepton push -h"]


@pytest.mark.parametrize("kind", [WrongUse, WeightsMissing, NetworkTrouble, NotAllowed, CorruptData])
def test_an_error_is_a_sentence_a_hint_and_its_exit_code(kind: type[LeptonError], capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> int:
        raise kind("it went wrong", "do this")

    assert guarded(fail, "git-remote-lepton") == kind.exit_code
    assert capsys.readouterr().err == "git-remote-lepton: it went wrong\nhint: do this\n"


def test_an_interruption_has_its_own_code(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted() -> int:
        raise KeyboardInterrupt

    assert guarded(interrupted) == 130
    assert "Traceback" not in capsys.readouterr().err


def test_a_bug_is_70_and_leaves_a_report_without_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sandbox = GitSandbox.create(tmp_path / "repo", filter=None, track=None)
    monkeypatch.chdir(sandbox.folder)
    monkeypatch.setenv("GIT_LEPTON_TOKEN", "hush-hush")
    monkeypatch.setattr(sys, "argv", ["git-lepton", "push", "https://me:password@store.example/a/b"])

    def broken() -> int:
        raise ZeroDivisionError("with hush-hush in it, and https://h/x?X-Amz-Signature=abcdef0123")

    assert guarded(broken) == 70
    said = capsys.readouterr().err
    assert "Traceback" not in said
    report = next((sandbox.folder / ".git" / "lepton").glob("crash-*.txt"))
    assert str(report) in said
    text = report.read_text()
    assert "ZeroDivisionError" in text
    assert f"git-lepton {__version__}" in text
    assert "store.example/a/b" in text
    assert not any(secret in text for secret in ("hush-hush", "password", "abcdef0123"))


def test_outside_of_a_repository_the_report_goes_to_the_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def broken() -> int:
        raise RuntimeError("oh")

    assert guarded(broken) == 70
    assert list(tmp_path.glob("crash-*.txt"))
    capsys.readouterr()


def test_a_report_is_written_over_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a folder of all users somebody may have laid a link there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("time.strftime", lambda _: "now")
    (tmp_path / "victim").write_text("before")
    (tmp_path / f"crash-now-{os.getpid()}.txt").symlink_to(tmp_path / "victim")
    write_crash_report(RuntimeError("oh"), ["git-lepton"])
    assert (tmp_path / "victim").read_text() == "before"
    assert "RuntimeError: oh" in capsys.readouterr().err


def test_headers_with_tokens_are_blotted_out() -> None:
    assert "s3cret" not in without_secrets("Authorization: Bearer s3cret\nauthorization: Basic s3cret\ntoken=s3cret")


@pytest.mark.parametrize("end", ["", "\n", "\r\n", " x"])
def test_no_form_of_a_secret_is_in_a_report(monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    monkeypatch.setenv("GIT_LEPTON_TOKEN", f"s3cret-one{end}")
    link = "h0123456789abcdefghijklmnopqrstuvwxyz_-ABCDE"[:43]
    texts = [
        f"ValueError: Invalid header value b'Bearer s3cret-one{end!r}'",
        f"ValueError: Invalid header value {f'Bearer s3cret-one{end}'.encode()!r}",
        "('http.https://store.example/.extraHeader', 'Authorization: Basic s3cret')",
        "https://me:s3cret@store.example/a/b and https://me:s3/s3cret@store.example/a/b",
        "lpt_s3cret",
        f"git-lepton download https://store.example/s/{link}",
        "username=ada\npassword=s3cret",
    ]
    report = without_secrets("\n".join(texts))
    assert "s3cret" not in report
    assert link not in report
    assert report.count("store.example") == 4


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    code = "import sys; from git_lepton.entry.boundary import guarded\nsys.exit(guarded(lambda: print('x\\n' * 1000000) or 0))"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(10)
    process.stdout.close()
    assert process.wait(60) == 141
    assert process.stderr.read() == b""
    process.stderr.close()


def test_the_list_of_commands_loads_no_command(tmp_path: Path) -> None:
    code = (
        "import sys; from git_lepton.entry import cli; cli.main([])\n"
        "print([m for m in ('numpy', 'urllib3', 'asyncio', 'argparse', 'dulwich') if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stderr.strip() == "[]"


def test_names_may_stand_between_options(capsys: pytest.CaptureFixture[str]) -> None:
    command = parser("download", "")
    command.add_argument("source")
    command.add_argument("paths", nargs="*")
    command.add_argument("--to", required=True)
    for arguments in (["S", "--to", "D", "a", "b"], ["--to", "D", "S", "a", "b"], ["S", "a", "--to", "D", "b"]):
        options = command.parse_args(arguments)
        assert (options.source, options.paths, options.to) == ("S", ["a", "b"], "D")
    with pytest.raises(BadArguments, match="--to"):
        command.parse_args(["S"])
