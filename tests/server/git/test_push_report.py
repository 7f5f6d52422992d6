"""The report of a push on its way: better reasons where there are any, else byte for byte what git said."""

from __future__ import annotations

import pytest

from lepton_server.git.push_report import PushReport


def packet(data: bytes) -> bytes:
    return b"%04x" % (len(data) + 4) + data


def report(*lines: bytes) -> bytes:
    return b"".join(map(packet, lines)) + b"0000"


def banded(data: bytes, size: int = 1000) -> bytes:
    parts = [data[start : start + size] for start in range(0, len(data), size)]
    return b"".join(packet(b"\1" + part) for part in parts) + b"0000"


def through(stream: bytes, reasons: dict[str, str], step: int) -> bytes:
    one = PushReport(lambda: reasons)
    return b"".join(one.relayed(stream[start : start + step]) for start in range(0, len(stream), step)) + one.rest()


GIT = (b"unpack ok\n", b"ng refs/heads/main pre-receive hook declined\n", b"ok refs/heads/other\n")
BETTER = (b"unpack ok\n", b"ng refs/heads/main fetch first\n", b"ok refs/heads/other\n")
SAID = packet(b"\2counting\n") + packet(b"\1")  # progress, and a sign of life


@pytest.mark.parametrize("step", [1, 3, 7, 10_000])
@pytest.mark.parametrize("size", [5, 1000])
def test_a_reason_is_told(step: int, size: int) -> None:
    told = through(SAID + banded(report(*GIT), size), {"refs/heads/main": "fetch first"}, step)
    assert told == SAID + banded(report(*BETTER))
    assert through(report(*GIT), {"refs/heads/main": "fetch first"}, step) == report(*BETTER)


@pytest.mark.parametrize("step", [1, 3, 10_000])
def test_where_there_is_none_it_is_what_git_said(step: int) -> None:
    for stream in (SAID + banded(report(*GIT), 5), report(*GIT), b"no packets at all", SAID + b"00", b"zzzz" + SAID, b""):
        assert through(stream, {}, step) == stream
    assert through(SAID + banded(report(*GIT)), {"refs/heads/elsewhere": "fetch first"}, step) == SAID + banded(report(*GIT))


def test_what_breaks_off_is_told_as_far_as_it_came() -> None:
    whole = banded(report(*GIT))
    assert through(whole[:-4], {"refs/heads/main": "fetch first"}, 9) == banded(report(*BETTER))[:-4]
