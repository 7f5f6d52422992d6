"""The terminal of a person while something runs: messages, and one progress line for all files together. All on standard error."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from typing import TextIO

from git_lepton.format.visible import visible
from git_lepton.settings import Settings

_REDRAW_SECONDS = 0.1
_QUIET_SECONDS = 5.0  # where nobody watches a line move, transfers shorter than this say nothing
_WORTH_TELLING = 1.0  # seconds from which on a transfer that was watched leaves a line behind
_RATE_WINDOW = 0.25  # seconds over which the rate is averaged first; longer memory comes from smoothing
_SMOOTHING = 0.15


def say(text: str) -> None:
    """One line for the user."""
    _tell(visible(text))


def warn(text: str) -> None:
    """One line that matters; yellow on a terminal that shows colours."""
    _tell(f"\x1b[33m{visible(text)}\x1b[0m" if shows_colours(sys.stderr) else visible(text))


def show(*lines: str) -> None:
    """Lines of a report, on standard output."""
    sys.stdout.write("".join(f"{visible(line)}\n" for line in lines))


def _tell(line: str) -> None:
    sys.stderr.write(f"git-lepton: {line}\n")
    sys.stderr.flush()


def shows_colours(stream: TextIO) -> bool:
    """Whether a stream is a terminal whose user wants colours (NO_COLOR, TERM=dumb; old consoles of Windows show none)."""
    environment = Settings(None).environment
    if environment.get("NO_COLOR") or environment.get("TERM") == "dumb" or not stream.isatty():
        return False
    return os.name != "nt" or "WT_SESSION" in environment or "TERM" in environment


def human_bytes(count: float) -> str:
    """`1.5 GB`: decimal units, as disks and networks are sold; at most three digits."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if count < 999.5 or unit == "TB":
            break
        count /= 1000
    return f"{count:.0f} {unit}" if unit == "B" or count >= 99.95 else f"{count:.1f} {unit}"


def counted(count: int, noun: str) -> str:
    """`1 object`, `2 objects`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def human_seconds(seconds: float) -> str:
    """`9 s`, `3 min 05 s`, `2 h 10 min`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


class ProgressLine:
    """A `Progress` drawn as one line on a terminal, and as a line at the end of a long transfer elsewhere. Thread safe.

    `verb` is what is done: "Downloading". `clock` gives seconds.
    """

    def __init__(self, verb: str, stream: TextIO | None = None, clock: object = None) -> None:
        self._verb = verb
        self._stream = stream if stream is not None else sys.stderr
        self._clock = clock if callable(clock) else time.monotonic
        self._live = self._stream.isatty() and Settings(None).environment.get("TERM") != "dumb"
        self._lock = threading.Lock()
        self._total = self._done = 0
        self._began = self._drawn_at = self._sampled_at = 0.0
        self._sampled, self._rate, self._width = 0, 0.0, 0

    def start(self, total: int) -> None:
        """A transfer begins; what was counted before is forgotten."""
        with self._lock:
            now = self._clock()
            self._total, self._done = total, 0
            self._began = self._drawn_at = self._sampled_at = now
            self._sampled, self._rate = 0, 0.0

    def advance(self, count: int) -> None:
        """That many bytes more (or, negative, less: what has to travel again)."""
        with self._lock:
            self._done += count
            now = self._clock()
            if self._live and now - self._drawn_at >= _REDRAW_SECONDS:
                self._drawn_at = now
                self._measure(now)
                self._draw(self._line(now))

    def note(self, text: str) -> None:
        """Something to know now: above the line on a terminal, a line of its own elsewhere."""
        with self._lock:
            if self._live:
                self._draw("")
            self._stream.write(f"{self._verb}: {visible(text)}\n")
            self._stream.flush()

    def finish(self) -> None:
        """The transfer is over: the line disappears, and a long one says that it is done, on a terminal only if it came to its
        end."""
        with self._lock:
            seconds = self._clock() - self._began
            if self._live:
                self._draw("")
            told = seconds >= _WORTH_TELLING and self._done >= self._total if self._live else seconds >= _QUIET_SECONDS
            if self._total and told:
                rate = human_bytes(self._done / seconds)
                self._stream.write(f"{self._verb}: {human_bytes(self._done)} in {human_seconds(seconds)} ({rate}/s)\n")
                self._stream.flush()

    def _measure(self, now: float) -> None:
        passed = now - self._sampled_at
        if passed >= _RATE_WINDOW:
            rate = max(0, self._done - self._sampled) / passed
            self._rate = rate if not self._rate else self._rate + _SMOOTHING * (rate - self._rate)
            self._sampled, self._sampled_at = self._done, now

    def _line(self, now: float) -> str:
        percent = f"{min(100, 100 * self._done // self._total)} % " if self._total else ""
        text = f"{self._verb}: {percent}({human_bytes(self._done)} of {human_bytes(max(self._total, self._done))})"
        rate = self._rate or self._done / max(now - self._began, 1e-9)
        if now - self._began < 2 * _RATE_WINDOW or rate <= 0:
            return text
        return f"{text}, {human_bytes(rate)}/s, {human_seconds(max(1.0, (self._total - self._done) / rate))} left"

    def _draw(self, text: str) -> None:
        columns = shutil.get_terminal_size().columns
        text = text[: max(0, columns - 1)]  # a full last column would wrap
        self._stream.write("\r" + text + " " * max(0, min(self._width, columns - 1) - len(text)) + ("" if text else "\r"))
        self._stream.flush()
        self._width = len(text)


def progress(verb: str, stream: TextIO | None = None) -> ProgressLine:
    """The progress line for one transfer or for several in a row."""
    return ProgressLine(verb, stream)
