"""Dialogues between git and a filter, without processes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from git_lepton.errors import LeptonError
from git_lepton.git.filter_protocol import BadDialogue, FilterProtocol, Listing, Request
from git_lepton.git.pkt_line import encode_message

WELCOME = [b"git-filter-client", b"version=2"]
OFFER = [b"capability=clean", b"capability=smudge", b"capability=delay"]
SUCCESS, ERROR, DELAYED = (encode_message([b"status=" + word]) for word in (b"success", b"error", b"delayed"))


def ready(*offer: bytes) -> FilterProtocol:
    protocol = FilterProtocol()
    protocol.hear(WELCOME)
    protocol.hear(list(offer) or OFFER)
    return protocol


def asked(protocol: FilterProtocol, *lines: bytes) -> Request:
    answer, request = protocol.hear(list(lines))
    assert answer == b""
    assert isinstance(request, Request)
    return request


def test_the_handshake_answers_version_2_and_all_we_can() -> None:
    protocol = FilterProtocol()
    assert protocol.hear(WELCOME) == (encode_message([b"git-filter-server", b"version=2"]), None)
    assert protocol.hear(OFFER) == (encode_message(OFFER), None)


def test_only_capabilities_that_git_offers_are_taken() -> None:
    protocol = FilterProtocol()
    protocol.hear(WELCOME)
    offer = [b"capability=smudge", b"capability=teleport", b"something=else", b"capability=clean"]
    assert protocol.hear(offer)[0] == encode_message([b"capability=clean", b"capability=smudge"])


@pytest.mark.parametrize("message", [[], [b"git-filter-client", b"version=1"], [b"somebody", b"version=2"]])
def test_another_version_or_program_is_refused(message: list[bytes]) -> None:
    with pytest.raises(BadDialogue):
        FilterProtocol().hear(message)


def test_a_request_carries_what_git_knows_and_ignores_what_we_do_not() -> None:
    request = asked(
        ready(),
        b"command=smudge",
        b"pathname=models/a=b \xff.bin",
        b"ref=refs/heads/main",
        b"treeish=1234",
        b"blob=abcd",
        b"can-delay=1",
        b"colour=blue",
        b"no value",
    )
    assert (request.command, request.pathname, request.can_delay) == ("smudge", b"models/a=b \xff.bin", True)
    assert (request.ref, request.treeish, request.blob) == (b"refs/heads/main", b"1234", b"abcd")


def test_a_plain_add_sends_nothing_but_the_path() -> None:
    request = asked(ready(), b"command=clean", b"pathname=a.bin")
    assert (request.command, request.can_delay, request.treeish, request.blob) == ("clean", False, b"", b"")


def test_success_is_a_status_the_content_and_an_empty_list() -> None:
    protocol = ready()
    asked(protocol, b"command=clean", b"pathname=a")
    before = protocol.may_begin
    assert protocol.success() == SUCCESS
    assert (before, protocol.may_begin) == (True, False)
    assert protocol.end() == b"00000000"
    asked(protocol, b"command=clean", b"pathname=b")


def test_an_error_before_content_is_a_status_and_after_it_takes_the_content_back() -> None:
    protocol = ready()
    asked(protocol, b"command=clean", b"pathname=a")
    assert protocol.error() == ERROR
    asked(protocol, b"command=clean", b"pathname=b")
    protocol.success()
    assert protocol.error() == b"0000" + ERROR
    asked(protocol, b"command=clean", b"pathname=c")


def test_abort_is_an_answer_too() -> None:
    protocol = ready()
    asked(protocol, b"command=smudge", b"pathname=a")
    assert protocol.abort() == encode_message([b"status=abort"])
    asked(protocol, b"command=clean", b"pathname=b")


def test_a_delayed_file_is_listed_asked_for_again_and_answered() -> None:
    protocol = ready()
    for path in (b"a", b"b"):
        asked(protocol, b"command=smudge", b"pathname=" + path, b"can-delay=1")
        assert protocol.delayed() == DELAYED
    answer, listing = protocol.hear([b"command=list_available_blobs"])
    assert answer == b""
    assert isinstance(listing, Listing)
    assert protocol.available([b"a"]) == encode_message([b"pathname=a"]) + SUCCESS
    asked(protocol, b"command=smudge", b"pathname=a")
    protocol.success()
    protocol.end()
    protocol.hear([b"command=list_available_blobs"])
    assert protocol.available([b"b"]) == encode_message([b"pathname=b"]) + SUCCESS
    protocol.hear([b"command=list_available_blobs"])
    assert protocol.available([]) == b"0000" + SUCCESS


def test_what_was_not_delayed_cannot_be_listed() -> None:
    protocol = ready()
    protocol.hear([b"command=list_available_blobs"])
    with pytest.raises(BadDialogue):
        protocol.available([b"never"])


def test_delay_needs_gits_leave() -> None:
    protocol = ready()
    asked(protocol, b"command=smudge", b"pathname=a")
    with pytest.raises(BadDialogue):
        protocol.delayed()
    assert protocol.error() == ERROR
    older = ready(b"capability=clean", b"capability=smudge")
    asked(older, b"command=smudge", b"pathname=a", b"can-delay=1")
    with pytest.raises(BadDialogue):
        older.delayed()


def test_nothing_is_answered_that_was_not_asked() -> None:
    for answer in ("success", "end", "error", "abort", "delayed"):
        with pytest.raises(BadDialogue):
            getattr(ready(), answer)()
    with pytest.raises(BadDialogue):
        ready().available([])


def test_a_new_request_before_an_answer_and_an_unknown_command_are_refused() -> None:
    protocol = ready()
    asked(protocol, b"command=clean", b"pathname=a")
    with pytest.raises(BadDialogue):
        protocol.hear([b"command=clean", b"pathname=b"])
    for command in (b"command=rinse", b"command=delay", b"pathname=a"):
        with pytest.raises(BadDialogue):
            ready().hear([command, b"pathname=a"])


@given(
    st.lists(
        st.lists(st.sampled_from([*WELCOME, *OFFER, b"command=clean", b"command=smudge", b"pathname=a", b"x", b"can-delay=1"]))
    )
)
def test_any_messages_give_events_or_our_error(messages: list[list[bytes]]) -> None:
    protocol = FilterProtocol()
    try:
        for message in messages:
            protocol.hear(message)
    except LeptonError:
        pass
