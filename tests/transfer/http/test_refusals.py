"""What a refusal says to do can be typed as it stands."""

from __future__ import annotations

import pytest

from git_lepton.transfer.http.refusals import Answer, error_of_code, refusal


@pytest.mark.parametrize("code", ["unauthenticated", "not_found", "quota_exceeded"])
def test_no_hint_has_a_gap_in_it(code: str) -> None:
    assert "{" not in error_of_code(code, "no", "store.example").hint


def test_who_may_not_see_a_repository_is_told_to_log_in_where_it_is() -> None:
    answer = Answer("localhost:8443", "repository a/b", 404, {}, b"", login="https://localhost:8443")
    assert refusal(answer).hint.endswith("run: git lepton login https://localhost:8443")
