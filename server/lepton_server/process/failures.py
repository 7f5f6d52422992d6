"""Failures of the server's programs: what one says on standard error as it ends, and its exit code."""

from __future__ import annotations

import logging
import sys
import traceback

from git_lepton.errors import LeptonError, NetworkTrouble, WrongUse
from git_lepton.format.visible import visible
from lepton_server.observability.logs import writes_json

_OUR_BUG = 70
_INTERRUPTED = 130
_log = logging.getLogger("lepton_server")


def say_failure(error: BaseException) -> int:
    """Say what went wrong; the exit code for it."""
    match error:
        case LeptonError():
            return _said(str(error), error.exit_code)
        case KeyboardInterrupt():
            return _INTERRUPTED
        case OSError():
            return _said(f"{error.strerror}: {error.filename}", WrongUse.exit_code)
        case Exception() if _database_is_unwritable(error):
            sentence = "the database cannot be written: its file, or the folder with it, is read-only or somebody else's"
            hint = "Run it as the server's account, where --data may be written to: what only reads notes that it ran."
            return _said(f"{sentence}\nhint: {hint}", WrongUse.exit_code)
        case Exception() if _database_is_gone(error):
            sentence = "the database cannot be reached\nhint: Check that it runs, and the URL of --database."
            return _said(sentence, NetworkTrouble.exit_code)
    if writes_json():
        _log.critical("this is our bug; please report it", exc_info=error)
        return _OUR_BUG
    traceback.print_exception(error)
    return _said("this is our bug; please report what is above", _OUR_BUG)


def _said(sentence: str, code: int) -> int:
    if writes_json():
        _log.critical("%s", sentence)
        return code
    lines = [visible(line) for line in sentence.split("\n")]
    print("lepton-server: " + "\n".join(lines), file=sys.stderr)
    return code


def _database_is_unwritable(error: Exception) -> bool:
    from lepton_server.database.engines import is_unwritable  # a program that fails early has not loaded it

    return is_unwritable(error)


def _database_is_gone(error: Exception) -> bool:
    from lepton_server.database.engines import is_gone  # a program that fails early has not loaded it

    return is_gone(error)
