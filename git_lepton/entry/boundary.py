"""The one place where an error becomes words and an exit code. A user never sees a traceback; a bug of ours writes a report
file.
"""

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
    _open_standard_streams()
    try:
        code = run()
        sys.stdout.flush()
    except LeptonError as error:
        complain(error, program)
        code = error.exit_code
    except KeyboardInterrupt:
        _write(f"{program}: interrupted\n")
        code = INTERRUPTED
    except BrokenPipeError:
        code = _BROKEN_PIPE
    except Exception as error:
        code = _unforeseen(error, program)
    _settle_stdout()
    return code


def complain(error: LeptonError, program: str = "git-lepton") -> None:
    """Say an error on standard error: its sentence, and its hint on a line of its own. A hint of several lines is several hints."""
    from git_lepton.format.visible import visible

    hints = "".join(f"hint: {visible(line)}\n" for line in error.hint.splitlines() if line)
    _write(f"{program}: {visible(error.message)}\n{hints}")


def explained(error: Exception) -> LeptonError:
    """Our error for one that nobody foresaw: of the system's kind where the system says no; else a bug, and a report is written."""
    from git_lepton.entry.surroundings import as_error_of_ours

    known = error if isinstance(error, LeptonError) else as_error_of_ours(error)
    if known and known.exit_code != BUG:
        return known
    from git_lepton.entry.crash_report import write_crash_report

    return LeptonError(
        f"something went wrong inside git-lepton ({type(error).__name__}: our bug, not your mistake)",
        f"please report it with the file {write_crash_report(error, sys.argv)}",
    )


def _unforeseen(error: Exception, program: str) -> int:
    told = explained(error)
    complain(told, program)
    return told.exit_code


def _write(text: str) -> None:
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:  # nobody hears it: the exit code says what there is to say
        return


def _open_standard_streams() -> None:
    """A stream that was closed before we started leads nowhere, as git has it: else the next file that is opened would take its number,
    and what is printed would go there. Names that no encoding takes are printed all the same."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
    for name, number in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, os.fdopen(number, "w", closefd=False))
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    if sys.stdin is None:
        sys.stdin = os.fdopen(0, "r", closefd=False)


def _settle_stdout() -> None:
    """What could not be written is given up: else the interpreter tries once more at its end, and complains."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
        os.close(nothing)
