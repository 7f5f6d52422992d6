"""The `pre-receive` hook that git runs: it asks the server that started this push whether it may land, and refuses if there is no answer.

A program of its own, run with `python -I -S` and nothing but the standard library, so that it starts in some 20 ms. The server's
address and the secret of this one push are in `LEPTON_PUSH` (`HOST:PORT:SECRET`). What is said is in frames, four bytes of length
before each. Sent: the secret; the quarantine's three variables, each ended by NUL, and git's own lines `OLD NEW REF`. The server
answers `+` (may land), `-` and text for the user, or an order (`{...}`): then this process looks at what the push brings
(`lepton_server.git.push_examination`), under the same bounds as the git that started it, and ends with that.
"""

from __future__ import annotations

import os
import socket
import sys

ADDRESS = "LEPTON_PUSH"
PROGRAM_PATH = "LEPTON_HOOK_PATH"
QUARANTINE = ("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_QUARANTINE_PATH")
NO_ANSWER = (
    "lepton: this push was refused: the server could not be asked whether its weights are stored. Push again in a while.\n"
)


class Line:
    """The connection to the server."""

    def __init__(self, connection: socket.socket) -> None:
        self._file = connection.makefile("rwb")

    def say(self, data: bytes) -> None:
        self._file.write(len(data).to_bytes(4, "big") + data)
        self._file.flush()

    def hear(self) -> bytes:
        """What the server says; empty if it has hung up."""
        head = self._file.read(4)
        return self._file.read(int.from_bytes(head, "big")) if len(head) == 4 else b""

    def ask(self, question: bytes) -> bytes:
        self.say(question)
        return self.hear()


def converse(line: Line, question: bytes) -> bytes:
    """The server's last word, empty if it gave none."""
    line.say(os.environ[ADDRESS].split(":")[2].encode())
    answer = line.ask(question)
    if answer[:1] == b"{":
        sys.path[:0] = os.environ[PROGRAM_PATH].split(os.pathsep)
        from lepton_server.git.push_examination import examined

        answer = line.ask(examined(answer, question, QUARANTINE, line.ask))
    return answer


def main() -> int:
    variables = b"".join(os.fsencode(os.environ.get(name, "")) + b"\0" for name in QUARANTINE)
    try:
        host, port, _ = os.environ[ADDRESS].split(":")
        with socket.create_connection((host, int(port))) as connection:
            answer = converse(Line(connection), variables + sys.stdin.buffer.read())
    except Exception:  # whatever it is, nobody has said that this push may land
        answer = b""
    sys.stderr.write(answer[1:].decode("utf-8", "replace") if answer[:1] in (b"+", b"-") else NO_ANSWER)
    return 0 if answer[:1] == b"+" else 1


if __name__ == "__main__":
    sys.exit(main())
