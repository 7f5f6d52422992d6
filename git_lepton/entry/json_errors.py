"""With --json an error is one JSON object too, on standard output: {"error": {"code", "message", "hint"}}. People read it on standard
error as ever, and the exit code is the same."""

from __future__ import annotations

from collections.abc import Callable

from git_lepton.entry.arguments import print_json
from git_lepton.errors import LeptonError

_CODES = {
    1: "check_failed",
    2: "wrong_use",
    3: "inconclusive",
    4: "weights_missing",
    5: "network_trouble",
    6: "not_allowed",
    7: "corrupt_data",
}


def told_as_json(run: Callable[[], int]) -> int:
    """What `run` returns. A LeptonError that it raises is printed and goes on its way. `code` is the server's own where it gave one,
    else the word for the exit code."""
    try:
        return run()
    except LeptonError as error:
        code = getattr(error, "code", "") or _CODES.get(error.exit_code, "bug")
        print_json({"error": {"code": code, "message": error.message, "hint": error.hint}})
        raise
