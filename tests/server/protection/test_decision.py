"""Which refs may move: the decision alone, and which refs a pattern means."""

from __future__ import annotations

import pytest

from lepton_server.errors import Refusal
from lepton_server.protection.branch_rules import Rule
from lepton_server.protection.decision import needed_evidence, refusal_text, refused
from lepton_server.protection.moves import Move, Way

MAIN, TIP = "refs/heads/main", "1" * 40
EVERY_WAY = list(Way)


def test_without_a_rule_a_writer_may_do_everything() -> None:
    moves = [Move(f"refs/heads/{way.value}", way, TIP) for way in EVERY_WAY]
    assert refused(moves, [Rule("refs/heads/other", "nobody", "nobody", ("test",))], "writer", {}) == []


@pytest.mark.parametrize(("role", "may"), [("writer", False), ("maintainer", True), ("owner", True), ("admin", True)])
@pytest.mark.parametrize("way", EVERY_WAY)
def test_the_least_role_to_push(role: str, may: bool, way: Way) -> None:
    against = refused([Move(MAIN, way, TIP)], [Rule(MAIN, push="maintainer")], role, {})
    assert (against == []) == may
    if not may:
        assert against == [f"{MAIN}: only maintainers and above may push to it, and you are a writer here (rule {MAIN})."]


@pytest.mark.parametrize(("role", "may"), [("writer", False), ("maintainer", False), ("owner", True), ("admin", True)])
def test_the_least_role_to_force_or_delete(role: str, may: bool) -> None:
    rule = [Rule(MAIN, push="writer", force="owner")]
    assert refused([Move(MAIN, Way.FORWARD, TIP), Move(MAIN, Way.CREATE, TIP)], rule, role, {}) == []
    for way, words in (Way.FORCE, "moves it elsewhere than forward"), (Way.DELETE, "deletes it"):
        against = refused([Move(MAIN, way, TIP)], rule, role, {})
        assert (against == []) == may
        assert may or words in against[0]


@pytest.mark.parametrize("role", ["writer", "maintainer", "owner", "admin"])
def test_nobody_is_nobody(role: str) -> None:
    rule = [Rule("refs/tags/v*", push="writer", force="nobody")]
    assert refused([Move("refs/tags/v1", Way.CREATE, TIP)], rule, role, {}) == []
    assert "which nobody may" in refused([Move("refs/tags/v1", Way.FORCE, TIP)], rule, role, {})[0]
    assert "which nobody may" in refused([Move("refs/tags/v1", Way.DELETE, "")], rule, role, {})[0]
    closed = [Rule("refs/tags/v*", push="nobody")]
    assert "nobody may push to it" in refused([Move("refs/tags/v1", Way.CREATE, TIP)], closed, role, {})[0]


def test_all_rules_that_match_have_to_be_satisfied() -> None:
    rules = [Rule("refs/heads/*"), Rule(MAIN, evidence=("test",)), Rule("refs/**", force="nobody")]
    against = refused([Move(MAIN, Way.FORCE, TIP)], rules, "owner", {})
    assert len(against) == 2
    assert "rule refs/heads/main" in against[0]
    assert "rule refs/**" in against[1]


def test_evidence_is_of_exactly_the_commit_and_of_each_check() -> None:
    rules = [Rule(MAIN, evidence=("eval", "gate"))]
    move = [Move(MAIN, Way.FORWARD, TIP)]
    assert needed_evidence([*move, Move("refs/heads/x", Way.FORWARD, "2" * 40)], rules) == {TIP}
    assert len(refused(move, rules, "admin", {})) == 2
    assert refused(move, rules, "writer", {(TIP, "eval"): "passed", (TIP, "gate"): "passed"}) == []
    assert "gate failed" in refused(move, rules, "writer", {(TIP, "eval"): "passed", (TIP, "gate"): "failed"})[0]
    other = {("2" * 40, "eval"): "passed", ("2" * 40, "gate"): "passed"}
    assert len(refused(move, rules, "writer", other)) == 2
    assert refused([Move(MAIN, Way.DELETE, "")], rules, "writer", {}) == []


def test_what_names_no_commit_has_no_evidence() -> None:
    assert refused([Move("refs/tags/t", Way.CREATE, "")], [Rule("refs/tags/*", evidence=("eval",))], "owner", {})


@pytest.mark.parametrize(
    ("pattern", "ref", "means"),
    [
        (MAIN, MAIN, True),
        (MAIN, "refs/heads/main2", False),
        (MAIN, "refs/heads/main/x", False),
        ("refs/heads/release/*", "refs/heads/release/1.0", True),
        ("refs/heads/release/*", "refs/heads/release/1.0/fix", False),
        ("refs/heads/release/**", "refs/heads/release/1.0/fix", True),
        ("refs/**", "refs/tags/v1", True),
        ("refs/**/v1", "refs/tags/old/v1", True),
        ("refs/**/v1", "refs/v1", True),
        ("refs/tags/v?", "refs/tags/v1", True),
        ("refs/tags/v?", "refs/tags/v10", False),
        ("refs/tags/v[0-9]", "refs/tags/v1", False),
        ("refs/heads/Main", MAIN, False),
    ],
)
def test_which_refs_a_pattern_means(pattern: str, ref: str, means: bool) -> None:
    assert Rule(pattern).matches(ref) == means


def test_a_pattern_takes_no_time() -> None:
    assert not Rule("refs/" + "**/a/" * 40 + "b").matches("refs/" + "a/" * 100 + "c")
    assert not Rule("refs/" + "*a" * 100).matches("refs/" + "a" * 5000 + "b")


@pytest.mark.parametrize(
    "wrong",
    [
        {"pattern": "main"},
        {"pattern": ""},
        {"pattern": "refs/heads/\0"},
        {"pattern": "refs/heads/" + "x" * 300},
        {"pattern": MAIN, "push": "reader"},
        {"pattern": MAIN, "force": "everybody"},
        {"pattern": MAIN, "evidence": ("a,b",)},
        {"pattern": MAIN, "evidence": ("",)},
    ],
)
def test_a_rule_that_cannot_be_kept(wrong: dict[str, object]) -> None:
    with pytest.raises(Refusal):
        Rule(**wrong)  # type: ignore[arg-type]


def test_a_long_refusal_is_cut_short() -> None:
    assert refusal_text([]) == ""
    text = refusal_text([f"finding {number}" for number in range(13)])
    assert "finding 9" in text
    assert "finding 10" not in text
    assert "and 3 more" in text
