"""The one place where an error becomes words and an exit code. A user never sees a traceback; a bug of ours writes a report
file."""

from __future__ import annotations

import os
import sys

from git_lepton.errors import LeptonError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

BUG = LeptonError.exit_code
INTERRUPTED = 130  # 128 + SIGINT, as shells have it
_BROKEN_PIPE = 141  # 128 + SIGPIPE: what a program has that the reader of its output left


def guarded(run: Callable[[], int], program: str = "git-lepton") -> int:
    """Run a program's body. Returns its exit code, or that of the error it raised, which is then on standard error."""
    try:
        code = run()
        sys.stdout.flush()
    except LeptonError as error:
        complain(error, program)
        return error.exit_code
    except KeyboardInterrupt:
        _write(f"{program}: interrupted\n")
        return INTERRUPTED
    except BrokenPipeError:
        _forget_stdout()
        return _BROKEN_PIPE
    except Exception as error:
        from git_lepton.entry.crash_report import write_crash_report

        _write(f"{program}: something went wrong inside git-lepton ({type(error).__name__}: our bug, not your mistake)\n")
        _write(f"hint: please report it with the file {write_crash_report(error, sys.argv)}\n")
        return BUG
    return code


def complain(error: LeptonError, program: str = "git-lepton") -> None:
    """Say an error on standard error: its sentence, and its hint on a line of its own."""
    _write(f"{program}: {error.message}\n" + (f"hint: {error.hint}\n" if error.hint else ""))


def _write(text: str) -> None:
    if sys.stderr is not None:
        sys.stderr.write(text)
        sys.stderr.flush()


def _forget_stdout() -> None:
    """Nobody reads it any more: without this the interpreter complains when it flushes at its end."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
    os.close(nothing)
