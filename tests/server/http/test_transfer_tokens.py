"""A signed token opens what it was signed for, for its time, and nothing else does."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from git_lepton.errors import WrongUse
from lepton_server.errors import Refusal
from lepton_server.http.transfer_tokens import GET, PUT, Signer

SIGNER = Signer(b"s" * 32)
TOKEN = SIGNER.sign(GET, {"key": "ab/1", "start": 1}, 3600)


def test_what_was_signed_comes_back() -> None:
    assert SIGNER.open(GET, TOKEN) == {"key": "ab/1", "start": 1}


def test_for_another_purpose_by_another_server_or_too_late() -> None:
    late = SIGNER.sign(GET, {}, 0)
    for signer, purpose, token in [(SIGNER, PUT, TOKEN), (Signer(b"t" * 32), GET, TOKEN), (SIGNER, GET, late)]:
        with pytest.raises(Refusal) as refused:
            signer.open(purpose, token)
        assert refused.value.code == "forbidden"


@given(st.integers(0, len(TOKEN) - 1), st.sampled_from("Aa0-_.=/ é"))
def test_a_changed_token_opens_nothing_else(place: int, letter: str) -> None:
    changed = TOKEN[:place] + letter + TOKEN[place + 1 :]
    try:
        assert SIGNER.open(GET, changed) == SIGNER.open(GET, TOKEN)  # the last digit of base64 has spare bits
    except Refusal as refused:
        assert refused.code == "forbidden"


@given(st.text(max_size=60))
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(Refusal):
        SIGNER.open(GET, text)


def test_the_secret_is_made_once_and_private(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    token = Signer.of_file(file).sign(GET, {}, 60)
    assert Signer.of_file(file).open(GET, token) == {}
    if os.name == "posix":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("text", ["", "\n", "00" * 31, "zz" * 32, "\xff"])
def test_a_file_without_the_whole_secret_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "secret").write_text(text, "latin-1")
    with pytest.raises(WrongUse, match="does not hold the secret"):
        Signer.of_file(tmp_path / "secret")
