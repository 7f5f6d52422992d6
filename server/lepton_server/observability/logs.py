"""Logs: what a server process writes to its standard error, as lines of text or one JSON object a line.

No line holds a secret: paths are cut where one begins (`told`), queries and headers are never written, and what looks like one of our
tokens is taken out of every line all the same.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
import time
from typing import Any

from git_lepton.format.visible import visible
from lepton_server.observability.request_context import origin

LEVELS = ("debug", "info", "warning", "error")
FORMS = ("text", "json")
_OURS = "lepton_server"
_TOKEN = re.compile(r"lpt_[A-Za-z0-9_-]{8,}")
_SECRET_FROM = re.compile(r"(/transfers/|^/+s/).*", re.DOTALL)


def configure(form: str, level: str) -> None:
    """Let this process log so from now on. `level` is that of the server's own lines; one a request is `info`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else TextLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger(_OURS).setLevel(level.upper())
    threading.excepthook = _thread_failed  # or its traceback would be written past the handler


def writes_json() -> bool:
    """Whether a program reads what this process says: then every line of it is an object."""
    return any(isinstance(handler.formatter, JsonLines) for handler in logging.getLogger().handlers)


def json_line(level: int, fields: dict[str, Any]) -> str:
    """A line in the log's form for what is said beside the log."""
    record = logging.makeLogRecord({"name": _OURS, "levelno": level, "levelname": logging.getLevelName(level), "fields": fields})
    return JsonLines().format(record)


def _thread_failed(what: threading.ExceptHookArgs) -> None:
    name = what.thread.name if what.thread else "a thread"
    value = what.exc_value or what.exc_type()
    logging.getLogger(_OURS).error("%s ended", name, exc_info=(what.exc_type, value, what.exc_traceback))


def told(raw_path: bytes) -> str:
    """A request's path, still percent-encoded, up to where a secret begins."""
    return _SECRET_FROM.sub(r"\1...", raw_path.decode("ascii", "replace"))


class TextLines(logging.Formatter):
    """One line, and the traceback below it where there is one."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        return _TOKEN.sub("lpt_...", super().format(record))

    def formatMessage(self, record: logging.LogRecord) -> str:
        """A record is one line, whatever stands in a name or in somebody's words."""
        return visible(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:
        """A traceback is lines; the error's own words are in its last ones."""
        return "\n".join(map(visible, super().formatException(ei).splitlines()))


class JsonLines(logging.Formatter):
    """One object: time (UTC), level, logger; request and address where there is a request; message, or the record's `fields`; error."""

    def format(self, record: logging.LogRecord) -> str:
        source = origin.get()
        line: dict[str, Any] = {
            "time": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        if source.request:
            line |= {"request": source.request, "address": source.address}
        line |= getattr(record, "fields", None) or {"message": record.getMessage()}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return _TOKEN.sub("lpt_...", json.dumps(line, ensure_ascii=True))
