"""The decision whether the refs of a push may move, made from the moves, the rules, the pusher's role and what checks said; pure.

All rules that match a ref have to be satisfied. Where none matches, whoever may write may push and force.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lepton_server.protection.branch_rules import NOBODY, Rule, matching
from lepton_server.protection.moves import Move, Way
from lepton_server.repositories.permissions import ROLES

_MAX_NAMED = 10
Outcomes = Mapping[tuple[str, str], str]
"""(Object name of a commit, name of a check) -> passed or failed: the last word on that commit."""


def refused(moves: Iterable[Move], rules: Iterable[Rule], role: str, outcomes: Outcomes) -> list[str]:
    """A sentence for each thing that stands against these moves; none if all may be."""
    rules = list(rules)
    return [sentence for move in moves for rule in matching(rules, move.ref) for sentence in _against(move, rule, role, outcomes)]


def needed_evidence(moves: Iterable[Move], rules: Iterable[Rule]) -> set[str]:
    """The commits whose evidence decides."""
    rules = list(rules)
    return {move.commit for move in moves if move.commit and any(rule.evidence for rule in matching(rules, move.ref))}


def refusal_text(findings: list[str]) -> str:
    """What the person who pushes reads; empty if there are no findings."""
    if not findings:
        return ""
    lines = ["lepton: this push was refused by rules of this repository. No ref has moved, nothing was kept.", ""]
    lines += [f"  {finding}" for finding in findings[:_MAX_NAMED]]
    if len(findings) > _MAX_NAMED:
        lines += [f"  ... and {len(findings) - _MAX_NAMED} more."]
    return "\n".join(lines) + "\n"


def _against(move: Move, rule: Rule, role: str, outcomes: Outcomes) -> Iterable[str]:
    least = rule.force if move.way.is_force else rule.push
    by = f"rule {rule.pattern}"
    if not _is_enough(role, rule.push):
        yield f"{move.ref}: {_who(rule.push)} may push to it, and you are a {role} here ({by})."
    elif not _is_enough(role, least):
        what = "deletes it" if move.way is Way.DELETE else "moves it elsewhere than forward"
        yield f"{move.ref}: this push {what}, which {_who(least)} may ({by})."
    if move.way is Way.DELETE:
        return
    for check in rule.evidence:
        outcome = outcomes.get((move.commit, check), "")
        if outcome != "passed":
            said = "failed" if outcome else "has not been run"
            yield f"{move.ref}: the check {check} {said} for {move.commit[:12] or 'what it will name'} ({by})."


def _is_enough(role: str, least: str) -> bool:
    return least != NOBODY and ROLES.index(role) >= ROLES.index(least)


def _who(least: str) -> str:
    return "nobody" if least == NOBODY else f"only {least}s" if least == ROLES[-1] else f"only {least}s and above"
