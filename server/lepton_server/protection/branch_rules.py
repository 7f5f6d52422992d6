"""Rules by branch and tag: who may move which refs, who may force them, which checks a new tip needs. Kept by repository.

A pattern is of full ref names, `refs/heads/release/*`: `*` and `?` stand for anything but a slash, a part `**` for any number of parts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from sqlalchemy import Connection, delete, func, insert, select

from lepton_server.database.tables import rules
from lepton_server.database.transactions import clock
from lepton_server.errors import Refusal
from lepton_server.identity import audit_log
from lepton_server.identity.caller import Caller
from lepton_server.repositories.permissions import ROLES
from lepton_server.repositories.registry import Repository

NOBODY = "nobody"
LEAST_ROLES = (*ROLES[1:], NOBODY)  # who can only read can never push
MAX_RULES = 100  # of one repository
_CHECK = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,99}")
_MAX_CHECKS = 50
_MAX_PATTERN = 255


@dataclass(frozen=True)
class Rule:
    """What has to hold for refs that `pattern` matches: the least role to `push` and to `force` (move elsewhere than forward, or
    delete), and the checks that must have passed for a new tip."""

    pattern: str
    push: str = "writer"
    force: str = "writer"
    evidence: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises Refusal (bad_request)."""
        if not self.pattern.startswith("refs/") or not is_plain(self.pattern) or len(self.pattern) > _MAX_PATTERN:
            raise Refusal.bad_request(
                f"{self.pattern[:100]!r} is no pattern of full ref names.", "Write refs/heads/main or refs/tags/v*."
            )
        for role in (self.push, self.force):
            if role not in LEAST_ROLES:
                raise Refusal.bad_request(f"{role[:100]!r} is no role that may push.", f"Write one of {', '.join(LEAST_ROLES)}.")
        for check in self.evidence:
            check_name(check)
        if len(self.evidence) > _MAX_CHECKS:
            raise Refusal.bad_request(f"A rule can ask for {_MAX_CHECKS} checks, not for {len(self.evidence)}.", "Ask for fewer.")

    def matches(self, ref: str) -> bool:
        """Whether this full ref name is one of those that the rule is for."""
        return _matches(self.pattern.split("/"), ref.split("/"))


def is_plain(text: str) -> bool:
    """Whether a text is one that people can read: no control characters, no halves of letters, not empty."""
    return bool(text) and text.isprintable()


def check_name(check: str) -> str:
    """The name of a check, as it is. Raises Refusal (bad_request)."""
    if not _CHECK.fullmatch(check):
        raise Refusal.bad_request(
            f"{check[:100]!r} cannot be the name of a check.", "Use letters, digits, '.', '_', '-' and '/'."
        )
    return check


def rules_of(connection: Connection, repository: Repository) -> list[Rule]:
    """All rules of a repository, by pattern."""
    columns = rules.c.pattern, rules.c.push, rules.c.force, rules.c.evidence
    query = select(*columns).where(rules.c.repository == repository.id).order_by(rules.c.pattern)
    return [Rule(pattern, push, force, _split(checks)) for pattern, push, force, checks in connection.execute(query)]


def set_rule(connection: Connection, by: Caller | None, repository: Repository, rule: Rule) -> None:
    """From now on this is the rule of its pattern. Raises Refusal: bad_request where there are too many, conflict where git is hosted
    elsewhere: nobody would be held to it."""
    if repository.kind != "hosted":
        message = f"The git history of {repository.full_name} is not hosted here, so no rule could be enforced."
        raise Refusal("conflict", message, "Protect the branch where git is hosted.")
    _delete(connection, repository, rule.pattern)
    mine = rules.c.repository == repository.id
    if connection.execute(select(func.count()).select_from(rules).where(mine)).scalar_one() >= MAX_RULES:
        raise Refusal.bad_request(f"{repository.full_name} has {MAX_RULES} rules.", "Join some of them by a pattern with a '*'.")
    row = {"repository": repository.id, "pattern": rule.pattern, "push": rule.push, "force": rule.force}
    connection.execute(insert(rules).values(row | {"evidence": ",".join(rule.evidence), "created": clock(connection)}))
    detail = {"push": rule.push, "force": rule.force, "evidence": list(rule.evidence)}
    audit_log.note(connection, by, "rule.set", repository=repository.full_name, subject=rule.pattern, **detail)


def remove_rule(connection: Connection, by: Caller | None, repository: Repository, pattern: str) -> bool:
    """Remove the rule of this pattern; whether there was one."""
    removed = _delete(connection, repository, pattern)
    if removed:
        audit_log.note(connection, by, "rule.remove", repository=repository.full_name, subject=pattern)
    return removed


def matching(found: Iterable[Rule], ref: str) -> Sequence[Rule]:
    """The rules that are for this ref."""
    return [rule for rule in found if rule.matches(ref)]


def _delete(connection: Connection, repository: Repository, pattern: str) -> bool:
    this = (rules.c.repository == repository.id) & (rules.c.pattern == pattern)
    return connection.execute(delete(rules).where(this)).rowcount > 0


def _split(checks: str) -> tuple[str, ...]:
    return tuple(checks.split(",")) if checks else ()


def _matches(parts: Sequence[str], names: Sequence[str]) -> bool:
    """Whether the parts of a pattern, one after the other, match all the names: in time of at most the product of their lengths."""
    reached = {0}  # so many names may be used up by the parts so far
    for part in parts:
        if part == "**":
            reached = set(range(min(reached), len(names) + 1))
        else:
            plain = part.replace("[", "[[]")  # no choices of characters: git allows no '[' in refs
            reached = {at + 1 for at in reached if at < len(names) and fnmatchcase(names[at], plain)}
        if not reached:
            return False
    return len(names) in reached
