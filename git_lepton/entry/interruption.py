"""Ctrl-C ends a program within a second, whatever its threads are at: what they store is written so that being killed harms nothing."""

from __future__ import annotations

import os

from git_lepton.entry.boundary import INTERRUPTED

_GRACE_S = 0.5


def end_soon_when_interrupted(*, quietly: bool = False) -> None:
    """From here on. `quietly`, for what git starts: nothing more is said, since the user has their prompt back when git is gone."""
    import signal

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not where it is ignored, as after nohup
        signal.signal(signal.SIGINT, lambda *_: _interrupted(quietly))


def _interrupted(quietly: bool) -> None:
    import signal
    import threading

    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a second one ends us at once
    if quietly:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 2)
    last = threading.Timer(_GRACE_S, _end, [quietly])
    last.daemon = True
    last.start()
    raise KeyboardInterrupt


def _end(quietly: bool) -> None:
    """Threads that wait for a server would keep us until it answers."""
    if not quietly and os.isatty(2):
        os.write(2, b"\n")  # the prompt comes after a progress line
    os._exit(INTERRUPTED)
