"""A process that has loaded `lepton-server` and forks one off for each order: `python -m tests.support.forking_program FD`.

Orders and reports are JSON messages on the socket FD; an order brings what the new process has as stdout and stderr. What it then does
is what the program does that a shell starts. All of them end when the socket closes.
"""

from __future__ import annotations

import gc
import json
import os
import random
import selectors
import signal
import socket
import sys
from typing import Any

# What the program loads later than its command line, most of it where it is needed.
import alembic.command  # noqa: F401
import psycopg  # noqa: F401
import uvicorn  # noqa: F401

import lepton_server.http.app
import lepton_server.process.bounded_http
import lepton_server.process.serve  # noqa: F401
from lepton_server import cli
from tests.support.forked_servers import MOST_BYTES


def _next_order(control: socket.socket) -> list[str]:
    """Fork for each order that comes; this returns in each new process, with its command line."""
    children: dict[int, tuple[int, int]] = {}  # the file descriptor that tells of its end: its number and process id
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fd != control.fileno():
                    selector.unregister(key.fd)
                    number, pid = children.pop(key.fd)
                    os.close(key.fd)
                    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                    control.send(json.dumps({"number": number, "code": code}).encode())
                    continue
                message, outputs, _, _ = socket.recv_fds(control, MOST_BYTES, 2)
                if not message:
                    for _, pid in children.values():
                        os.kill(pid, signal.SIGKILL)
                    os._exit(0)
                order = json.loads(message)
                if (pid := os.fork()) == 0:
                    for end in (control.fileno(), *children):
                        os.close(end)
                    control.detach()
                    _take_place(order, outputs)
                    return list(order["arguments"])
                for output in outputs:
                    os.close(output)
                child = os.pidfd_open(pid)
                children[child] = order["number"], pid
                selector.register(child, selectors.EVENT_READ)
                control.send(json.dumps({"number": order["number"], "pid": pid}).encode())


def _take_place(order: dict[str, Any], outputs: list[int]) -> None:
    """What a new process has that is not its parent's."""
    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(order["folder"])
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in zip((nothing, *outputs), range(3), strict=True):
        os.dup2(source, target)
        os.close(source)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    random.seed()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()
    sys.exit(cli.main(_next_order(socket.socket(fileno=int(sys.argv[1])))))
