"""What the server itself reads of a push: which refs are to move, and how much comes with them."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable

import pytest

from lepton_server.git.push_answer import NoCommands, pack_bytes, packet, refused

COMMANDS = packet(b"0" * 40 + b" " + b"1" * 40 + b" refs/heads/main\0report-status side-band-64k\n") + b"0000"


@pytest.mark.parametrize("objects", [0, 5000])
@pytest.mark.parametrize("packed", [bytes, gzip.compress])
def test_objects_count_also_where_the_client_compresses_what_it_sends(objects: int, packed: Callable[[bytes], bytes]) -> None:
    body = io.BytesIO(packed(COMMANDS + b"x" * objects))
    assert pack_bytes(body) == objects
    assert body.tell() == 0
    assert b"ng refs/heads/main refused" in refused(body, "why\n")


@pytest.mark.parametrize("lost", [1, 8])
def test_what_git_finds_before_the_damage_counts(lost: int) -> None:
    whole = gzip.compress(COMMANDS + bytes(range(256)) * 4000)
    assert pack_bytes(io.BytesIO(whole[:-lost])) == 1_024_000
    assert pack_bytes(io.BytesIO(whole[:-lost] + b"!" * lost)) == 1_024_000  # its sum is wrong, which git hears at the end


def test_more_lines_than_we_read_are_counted_with_what_follows() -> None:
    shallow = packet(b"shallow " + b"1" * 40) * 1_300_000
    assert pack_bytes(io.BytesIO(shallow + COMMANDS + b"x" * 5000)) >= 5000


@pytest.mark.parametrize("body", [b"", b"nonsense", gzip.compress(b"nonsense", mtime=0), b"\x1f\x8bnonsense"])
def test_what_is_no_push_has_no_answer(body: bytes) -> None:
    pack_bytes(io.BytesIO(body))
    with pytest.raises(NoCommands):
        refused(io.BytesIO(body), "why\n")
