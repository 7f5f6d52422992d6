"""Lines of the log: what they hold, and what they never do."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from lepton_server.commands.messages import say, show
from lepton_server.observability.logs import JsonLines, TextLines, told
from lepton_server.observability.request_context import Origin, origin


def record(message: str, *arguments: object, error: BaseException | None = None) -> logging.LogRecord:
    about = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord("lepton_server", logging.WARNING, __file__, 1, message, arguments, about)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (b"/api/v1/transfers/eyJ.abc", "/api/v1/transfers/..."),
        (b"/s/0123456789abcdef/model.safetensors", "/s/..."),
        (b"//s/0123456789abcdef", "//s/..."),
        (b"/api/v1/repositories/s/models/plan", "/api/v1/repositories/s/models/plan"),
        (b"/ada/models.git/info/refs", "/ada/models.git/info/refs"),
        (b"/a%0Ab", "/a%0Ab"),  # no line of somebody else's making
    ],
)
def test_paths_end_where_a_secret_begins(path: bytes, line: str) -> None:
    assert told(path) == line


@pytest.mark.parametrize("form", [TextLines(), JsonLines()])
def test_no_token_is_ever_written(form: logging.Formatter) -> None:
    token = "lpt_abcdefghijklmnopqrstuvwxyz"
    try:
        raise ValueError(f"with {token} in it")
    except ValueError as error:
        line = form.format(record("somebody sent %s", token, error=error))
    assert token not in line
    assert "lpt_..." in line
    assert "ValueError" in line


def test_json_lines_say_when_who_and_what() -> None:
    here = origin.set(Origin("9.9.9.9", "abc"))
    try:
        line = JsonLines().format(record("it is\n%s", "full"))
    finally:
        origin.reset(here)
    assert "\n" not in line
    said = json.loads(line)
    assert said["time"].endswith("Z")
    del said["time"]
    assert said == {
        "level": "warning",
        "logger": "lepton_server",
        "message": "it is\nfull",
        "request": "abc",
        "address": "9.9.9.9",
    }


def test_a_thread_that_fails_is_one_line() -> None:
    """In a process of its own, since the log is a process's."""
    code = (
        "import threading; from lepton_server.observability.logs import configure; configure('json', 'warning');"
        "thread = threading.Thread(target=lambda: 1 / 0, name='worker'); thread.start(); thread.join()"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stderr
    (line,) = [json.loads(line) for line in said.splitlines()]
    assert line["message"] == "worker ended"
    assert "ZeroDivisionError" in line["error"]


def test_what_keeps_a_server_from_starting_is_one_json_line_too(tmp_path: Path) -> None:
    options = ["--data", str(tmp_path), "--log-format", "json", "--public-url", "nowhere"]
    command = [sys.executable, "-m", "lepton_server.cli", "serve", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = [json.loads(line) for line in done.stderr.splitlines()]
    assert line["level"] == "critical"
    assert line["message"].startswith("nowhere is no address of a server\nhint: Write --public-url")


def test_our_own_bug_is_one_json_line() -> None:
    code = (
        "from lepton_server.process.failures import say_failure; from lepton_server.observability.logs import configure;"
        "configure('json', 'warning'); raise SystemExit(say_failure(KeyError('oops')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 70
    (line,) = [json.loads(line) for line in done.stderr.splitlines()]
    assert "KeyError" in line["error"]


def test_a_text_line_is_one_line_whatever_a_name_holds() -> None:
    line = TextLines().format(record("%s failed", "a\x1b[2J\nWARNING forged\x9b\u202e"))
    assert line.endswith(r"a\x1b[2J\nWARNING forged\x9b\u202e failed")
    try:
        raise ValueError("a\x1b[2Jb")
    except ValueError as error:
        assert "\x1b" not in TextLines().format(record("it failed", error=error))


def test_a_report_shows_names_by_number(capsys: pytest.CaptureFixture[str]) -> None:
    show("ada\x1b]0;owned\x07\tmodels\nben\u202e\tmore")
    say("no such place: \x1b[2J")
    out, err = capsys.readouterr()
    assert out == "ada\\x1b]0;owned\\x07\tmodels\nben\\u202e\tmore\n"
    assert err == "lepton-server: no such place: \\x1b[2J\n"
