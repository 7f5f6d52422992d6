"""How a program of the server's ends that failed: what it says on standard error, and its exit code."""

from __future__ import annotations

import sys
import traceback

from git_lepton.errors import LeptonError, NetworkTrouble, WrongUse

_OUR_BUG = 70
_INTERRUPTED = 130


def say_failure(error: BaseException) -> int:
    """Say what went wrong; the exit code for it."""
    match error:
        case LeptonError():
            return _said(str(error), error.exit_code)
        case KeyboardInterrupt():
            return _INTERRUPTED
        case OSError():
            return _said(f"{error.strerror}: {error.filename}", WrongUse.exit_code)
        case Exception() if _database_is_gone(error):
            sentence = "the database cannot be reached\nhint: Check that it runs, and the URL of --database."
            return _said(sentence, NetworkTrouble.exit_code)
    traceback.print_exception(error)
    return _said("this is our bug; please report what is above", _OUR_BUG)


def _said(sentence: str, code: int) -> int:
    print(f"lepton-server: {sentence}", file=sys.stderr)
    return code


def _database_is_gone(error: Exception) -> bool:
    from lepton_server.engines import is_gone  # a program that fails early has not loaded it

    return is_gone(error)
