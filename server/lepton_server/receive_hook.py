"""What git runs as `pre-receive`: asks the server that started this push whether it may land, and refuses if there is no answer.

A program of its own, run with `python -I -S` and nothing but the standard library, so that it starts in some 20 ms. The server's
address and the secret of this one push are in `LEPTON_PUSH` (`HOST:PORT:SECRET`). Sent: the secret and the quarantine's three
variables, each ended by NUL, then git's own lines `OLD NEW REF`. The answer: `+` (may land) or `-`, then text for the user.
"""

from __future__ import annotations

import os
import socket
import sys

ADDRESS = "LEPTON_PUSH"
QUARANTINE = ("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_QUARANTINE_PATH")
NO_ANSWER = (
    "lepton: this push was refused: the server could not be asked whether its weights are stored. Push again in a while.\n"
)


def ask(question: bytes) -> bytes:
    """The server's answer, empty if it gave none."""
    host, port, secret = os.environ[ADDRESS].split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(secret.encode() + b"\0" + question)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while block := connection.recv(1 << 16):
            answer += block
        return answer


def main() -> int:
    variables = b"".join(os.fsencode(os.environ.get(name, "")) + b"\0" for name in QUARANTINE)
    try:
        answer = ask(variables + sys.stdin.buffer.read())
    except (OSError, KeyError, ValueError):
        answer = b""
    sys.stderr.write(answer[1:].decode("utf-8", "replace") if answer[:1] in (b"+", b"-") else NO_ANSWER)
    return 0 if answer[:1] == b"+" else 1


if __name__ == "__main__":
    sys.exit(main())
