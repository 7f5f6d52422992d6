"""Framing: what is written comes back through a real pipe, and what is no packet is refused."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from git_lepton.errors import LeptonError
from git_lepton.git.pkt_line import (
    FLUSH,
    MAX_PAYLOAD,
    BadPacket,
    PacketReader,
    PacketWriter,
    PipeClosed,
    encode_line,
    encode_message,
)


@contextmanager
def pipe_with(write: Callable[[int], None]) -> Iterator[PacketReader]:
    """A reader of what `write` puts into a real pipe, from a thread."""
    source, sink = os.pipe()

    def fill() -> None:
        try:
            write(sink)
        except BrokenPipeError:
            pass  # the test read what it wanted
        finally:
            os.close(sink)

    thread = threading.Thread(target=fill)
    thread.start()
    try:
        yield PacketReader(source)
    finally:
        os.close(source)
        thread.join()


@contextmanager
def bytes_with(data: bytes) -> Iterator[PacketReader]:
    def write(sink: int) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(sink, view) :]

    with pipe_with(write) as reader:
        yield reader


def read_all(reader: PacketReader, step: int) -> bytes:
    content, buffer, whole = reader.content(), bytearray(step), bytearray()
    while count := content.readinto(buffer):
        whole += buffer[:count]
    assert content.readinto(buffer) == 0  # the end stays the end
    return bytes(whole)


def test_a_line_has_its_length_in_hex_and_a_line_end() -> None:
    assert encode_line(b"version=2") == b"000eversion=2\n"
    assert encode_message([]) == b"0000"


@given(st.lists(st.binary(max_size=200).filter(lambda line: not line.endswith(b"\n"))))
def test_messages_come_back(lines: list[bytes]) -> None:
    with bytes_with(encode_message(lines) + encode_message([b"next"])) as reader:
        assert reader.read_message() == lines
        assert reader.read_message() == [b"next"]
        assert reader.read_message() is None


@given(st.lists(st.binary(max_size=300_000), max_size=4), st.integers(1, 200_000))
def test_content_of_any_size_comes_back_in_steps_of_any_size(pieces: list[bytes], step: int) -> None:
    def write(sink: int) -> None:
        writer = PacketWriter(sink)
        for piece in pieces:
            writer.write_content(piece)
        writer.write(FLUSH + encode_message([b"after"]))

    with pipe_with(write) as reader:
        assert read_all(reader, step) == b"".join(pieces)
        assert reader.read_message() == [b"after"]


def test_megabytes_of_content_are_cut_into_full_packets_and_come_back() -> None:
    data = os.urandom(1 << 20) * 9
    with pipe_with(lambda sink: (w := PacketWriter(sink)).write_content(data) or w.write(FLUSH)) as reader:  # type: ignore[func-returns-value]
        assert reader.next_length() == MAX_PAYLOAD
    with pipe_with(lambda sink: (w := PacketWriter(sink)).write_content(data) or w.write(FLUSH)) as reader:  # type: ignore[func-returns-value]
        assert read_all(reader, 1 << 22) == data


def test_no_empty_packet_is_ever_written() -> None:
    with pipe_with(lambda sink: (w := PacketWriter(sink)).write_content(b"") or w.write(FLUSH)) as reader:  # type: ignore[func-returns-value]
        assert reader.next_length() == 0


def test_packets_that_arrive_byte_by_byte_are_whole_packets() -> None:
    data = encode_message([b"command=clean", b"pathname=a b"]) + b"0009hello" + b"0006, " + FLUSH

    def dribble(sink: int) -> None:
        for position in range(len(data)):
            os.write(sink, data[position : position + 1])

    with pipe_with(dribble) as reader:
        assert reader.read_message() == [b"command=clean", b"pathname=a b"]
        assert read_all(reader, 3) == b"hello, "


def test_peek_shows_what_readinto_then_gives() -> None:
    with bytes_with(b"0009hello" + b"0006, " + FLUSH) as reader:
        content = reader.content()
        assert content.peek(3) == b"hel"
        assert content.peek(100) == b"hello, "
        buffer = bytearray(4)
        assert content.readinto(buffer) == 4
        assert buffer == b"hell"
        assert content.readinto(buffer) == 3
        assert buffer[:3] == b"o, "


def test_drain_leaves_the_next_message() -> None:
    body = b"".join(b"%04x%b" % (1004, bytes(1000)) for _ in range(3000))
    with bytes_with(body + FLUSH + encode_message([b"next"])) as reader:
        content = reader.content()
        content.peek(10)
        content.drain()
        content.drain()
        assert reader.read_message() == [b"next"]


@pytest.mark.parametrize(
    "header", [b"0001", b"0002", b"0003", b"0004", b"ffff", b"fff1", b"xyz!", b" 12a", b"+00f", b"0x1f", b"12  "]
)
def test_a_length_that_no_packet_has_is_refused(header: bytes) -> None:
    with bytes_with(header + b"payload") as reader, pytest.raises(BadPacket):
        reader.read_message()
    with bytes_with(header + b"payload") as reader, pytest.raises(BadPacket):
        reader.content().drain()


@pytest.mark.parametrize("cut", [b"0", b"000", b"0009", b"0009hel", b"0009hello"])
def test_an_input_that_ends_too_early_is_told_from_one_that_ends(cut: bytes) -> None:
    with bytes_with(cut) as reader, pytest.raises(PipeClosed):
        reader.read_message()
    with bytes_with(cut) as reader, pytest.raises(PipeClosed):
        read_all(reader, 100)


@given(st.binary(max_size=400))
def test_any_bytes_give_messages_or_our_error(data: bytes) -> None:
    with bytes_with(data) as reader:
        try:
            while reader.read_message() is not None:
                pass
        except LeptonError:
            pass
