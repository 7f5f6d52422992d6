"""What comes along at a token's ends is no part of it; what cannot be a token is refused in words that do not hold it."""

from __future__ import annotations

import pytest

from git_lepton.format.tokens import clean_token


@pytest.mark.parametrize(
    "text", ["lpt_ab-C_9", "lpt_ab-C_9\n", "  lpt_ab-C_9\r\n", "\t\ufefflpt_ab-C_9 \n\n", "\ufeff lpt_ab-C_9\x0b"]
)
def test_white_space_at_the_ends_is_no_part_of_it(text: str) -> None:
    assert clean_token(text) == "lpt_ab-C_9"


@pytest.mark.parametrize("text", ["", " ", "\r\n", "\ufeff\n"])
def test_nothing_is_nothing(text: str) -> None:
    assert clean_token(text) == ""


@pytest.mark.parametrize("inside", ["\n", "\r\n", " ", "\t", "\0", "\x1b[31m", "\x7f", "é", "\u2028", "\udc80"])
def test_what_no_request_can_carry_is_refused_and_not_quoted(inside: str) -> None:
    with pytest.raises(ValueError, match="no token has") as caught:
        clean_token(f"lpt_one{inside}two")
    assert "lpt_one" not in str(caught.value)
    assert "two" not in str(caught.value)
