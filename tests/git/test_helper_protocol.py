"""The dialogue as git and git-remote-http lead it, cut into any pieces."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from git_lepton.git.helper_protocol import HelperDialogue, PushHeld, ToChild, ToGit

CAPABILITIES = b"stateless-connect\nfetch\nget\noption\npush\ncheck-connectivity\nobject-format\n\n"
ONE, TWO = "1" * 40, "2" * 40
LISTING = (
    f":object-format sha1\n@refs/heads/main HEAD\n{ONE} refs/heads/main\n{TWO} refs/tags/v1 extra\n? refs/heads/odd\n\n".encode()
)


class Sides:
    """Feeds a dialogue and keeps what reached each side."""

    def __init__(self) -> None:
        self.dialogue = HelperDialogue()
        self.child, self.git = b"", b""
        self.held: list[PushHeld] = []

    def do(self, events: list) -> None:
        for event in events:
            if isinstance(event, ToChild):
                self.child += event.data
            elif isinstance(event, ToGit):
                self.git += event.data
            else:
                self.held.append(event)

    def from_git(self, data: bytes) -> None:
        self.do(self.dialogue.from_git(data))

    def from_child(self, data: bytes) -> None:
        self.do(self.dialogue.from_child(data))


@pytest.fixture
def sides() -> Sides:
    return Sides()


def push(sides: Sides, *lines: str) -> None:
    sides.from_git("".join(f"push {line}\n" for line in lines).encode() + b"\n")


def test_options_list_and_fetch_pass_unchanged(sides: Sides) -> None:
    dialogue = [
        (b"capabilities\n", CAPABILITIES),
        (b"option progress true\n", b"ok\n"),
        (b"option depth 3\n", b"ok\n"),
        (b"option pushcert if-asked\n", b"unsupported\n"),
        (b"list\n", LISTING),
        (b"fetch %s refs/heads/main\nfetch %s refs/tags/v1\n\n" % (ONE.encode(), TWO.encode()), b"lock .git/x.keep\n\n"),
        (b"get https://host/bundle /tmp/file\n", b"\n"),
        (b"some-command of-the-future\n", b"any answer\n"),
        (b"\n", b""),
    ]
    for said, answered in dialogue:
        sides.from_git(said)
        sides.from_child(answered)
    assert sides.child == b"".join(said for said, _ in dialogue)
    assert sides.git == b"".join(answered for _, answered in dialogue)
    assert sides.dialogue.options == {"progress": "true", "depth": "3", "pushcert": "if-asked"}
    assert not sides.held


def test_options_tell_what_is_to_be_shown(sides: Sides) -> None:
    assert not sides.dialogue.wants_progress
    for line in (b"option progress true\n", b"option verbosity 0\n", b"option dry-run true\n"):
        assert not (sides.dialogue.is_quiet and sides.dialogue.is_dry_run)
        sides.from_git(line)
    assert (sides.dialogue.wants_progress, sides.dialogue.is_quiet, sides.dialogue.is_dry_run) == (True, True, True)


def test_a_push_batch_waits_and_goes_on_whole(sides: Sides) -> None:
    sides.from_git(b"list for-push\n")
    sides.from_child(LISTING)
    assert sides.dialogue.remote_refs == {"refs/heads/main": ONE, "refs/tags/v1": TWO}
    before = sides.child
    push(sides, "refs/heads/main:refs/heads/main", f"+{ONE}:refs/heads/old", ":refs/heads/gone")
    assert sides.child == before
    (held,) = sides.held
    commands = [(command.source, command.destination, command.forced) for command in held.commands]
    assert commands == [
        ("refs/heads/main", "refs/heads/main", False),
        (ONE, "refs/heads/old", True),
        ("", "refs/heads/gone", False),
    ]
    assert held.sources() == ["refs/heads/main", ONE]
    sides.do(sides.dialogue.allow())
    assert sides.child == before + b"push refs/heads/main:refs/heads/main\npush +%s:refs/heads/old\npush :refs/heads/gone\n\n" % (
        ONE.encode()
    )
    sides.from_child(b"ok refs/heads/main\n\n")
    assert sides.git.endswith(b"ok refs/heads/main\n\n")


def test_a_refused_batch_is_answered_on_one_line_a_ref_and_never_forwarded(sides: Sides) -> None:
    push(sides, "a:refs/heads/a", "b:refs/heads/b")
    sides.do(sides.dialogue.refuse("no room\nfor  these\tweights"))
    reason = b"lepton: no room for these weights"
    assert sides.git == b"error refs/heads/a %s\nerror refs/heads/b %s\n\n" % (reason, reason)
    assert sides.child == b""
    push(sides, "c:refs/heads/c")
    sides.do(sides.dialogue.allow())
    assert sides.child == b"push c:refs/heads/c\n\n"


def test_what_follows_a_held_batch_waits_too(sides: Sides) -> None:
    sides.from_git(b"push a:refs/heads/a\n\nlist\n")
    assert (sides.child, len(sides.held)) == (b"", 1)
    sides.do(sides.dialogue.allow())
    assert sides.child == b"push a:refs/heads/a\n\nlist\n"


def test_a_new_listing_replaces_the_old_one(sides: Sides) -> None:
    for listing in (LISTING, f"{TWO} refs/heads/other\n\n".encode()):
        sides.from_git(b"list for-push\n")
        sides.from_child(listing)
    assert sides.dialogue.remote_refs == {"refs/heads/other": TWO}


def test_only_a_held_batch_can_be_answered(sides: Sides) -> None:
    with pytest.raises(ValueError, match="held"):
        sides.dialogue.allow()


@pytest.mark.parametrize("verb", [b"connect git-receive-pack\n", b"stateless-connect git-upload-pack\n"])
def test_an_empty_reply_to_connect_turns_to_raw_bytes(sides: Sides, verb: bytes) -> None:
    raw = bytes(range(256)) + b"push a:refs/heads/a\n\n"
    sides.from_git(verb)
    assert sides.child == verb
    sides.from_git(raw[:100])  # git never does, and it would be held
    assert sides.child == verb
    sides.from_child(b"\n000eversion 2\n")
    assert sides.dialogue.is_raw
    sides.from_git(raw[100:])
    sides.from_child(raw)
    assert sides.child == verb + raw
    assert sides.git == b"\n000eversion 2\n" + raw
    assert not sides.held


def test_after_fallback_the_dialogue_goes_on(sides: Sides) -> None:
    sides.from_git(b"stateless-connect git-receive-pack\n")
    sides.from_child(b"fall")
    sides.from_child(b"back\n")
    assert not sides.dialogue.is_raw
    push(sides, "a:refs/heads/a")
    assert len(sides.held) == 1


@given(st.lists(st.integers(0, 400)), st.lists(st.integers(0, 400)), st.booleans())
def test_how_bytes_are_cut_makes_no_difference(git_cuts: list[int], child_cuts: list[int], allowed: bool) -> None:
    sides = Sides()
    turns = [
        (b"capabilities\n", CAPABILITIES),
        (b"list for-push\n", LISTING),
        (b"push +a:refs/heads/a\npush b:refs/heads/b\n\n", b"ok refs/heads/a\nok refs/heads/b\n\n"),
        (b"stateless-connect git-upload-pack\n", b"\nraw\x00\xff"),
        (b"\x00\n\nmore", b"\n\n\x80"),
    ]
    for said, answered in turns:
        for piece in cut(said, git_cuts):
            sides.from_git(piece)
        if sides.held:
            sides.held.clear()
            sides.do(sides.dialogue.allow() if allowed else sides.dialogue.refuse("no"))
            if not allowed:
                continue
        for piece in cut(answered, child_cuts):
            sides.from_child(piece)
    assert sides.child == b"".join(said for said, _ in turns if allowed or b"push" not in said or b"list" in said)
    assert sides.dialogue.is_raw
    assert sides.dialogue.remote_refs == {"refs/heads/main": ONE, "refs/tags/v1": TWO}


def cut(data: bytes, places: list[int]) -> list[bytes]:
    borders = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in pairwise(borders)]
