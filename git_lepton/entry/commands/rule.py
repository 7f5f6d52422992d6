"""`git lepton rule list|set|delete`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from git_lepton.entry.server_commands import Subject, line, nothing
from git_lepton.entry.terminal import say
from git_lepton.wire.collaboration import RuleList, RuleMessage

if TYPE_CHECKING:
    import argparse

    from git_lepton.workflow.collaboration.administration import Opened


def main(arguments: Sequence[str]) -> int:
    """Who may move which branches and tags of a repository."""
    subject = Subject("rule", "Rules of branches and tags: who may move them, and which checks must have passed.")
    listing = subject.add(
        "list", "list the rules of a repository", lambda opened, given: opened.server.rules(given.repository), _list
    )
    listing.add_argument("repository", metavar="OWNER/REPO")
    change = subject.add("set", "add or change the rule for the refs of a pattern", _set, _was_set)
    change.add_argument("repository", metavar="OWNER/REPO")
    change.add_argument(
        "pattern", metavar="PATTERN", help="a pattern of full names: refs/heads/main, refs/heads/release/*, refs/tags/v*"
    )
    usual = "(default: unchanged; for a new rule: writer)"
    change.add_argument("--push", metavar="ROLE", help=f"the lowest role that may push, or nobody {usual}")
    text = f"the lowest role that may delete or force, or nobody {usual}"
    change.add_argument("--force", metavar="ROLE", help=text)
    text = "the checks that a new tip must have passed, joined by commas; '' for none (default: unchanged; for a new rule: none)"
    change.add_argument("--evidence", metavar="CHECKS", help=text)
    remove = subject.add("delete", "delete the rule of a pattern", _delete, nothing, also="remove")
    remove.add_argument("repository", metavar="OWNER/REPO")
    remove.add_argument("pattern", metavar="PATTERN")
    return subject.run(arguments)


def _set(opened: Opened, options: argparse.Namespace) -> RuleMessage:
    before = {rule.pattern: rule for rule in opened.server.rules(options.repository).rules}
    rule = before.get(options.pattern) or RuleMessage(options.pattern)
    given = {name: getattr(options, name) for name in ("push", "force") if getattr(options, name) is not None}
    if options.evidence is not None:
        given["evidence"] = [check.strip() for check in options.evidence.split(",") if check.strip()]
    changed = replace(rule, **given)
    opened.server.set_rule(options.repository, changed)
    return changed


def _was_set(rule: RuleMessage) -> None:
    evidence = f", evidence {','.join(rule.evidence)}" if rule.evidence else ""
    say(f"the rule of {rule.pattern} is now: push {rule.push}, force {rule.force}{evidence}")


def _delete(opened: Opened, options: argparse.Namespace) -> None:
    opened.server.remove_rule(options.repository, options.pattern)


def _list(found: RuleList) -> None:
    for rule in found.rules:
        evidence = f"evidence {','.join(rule.evidence)}" if rule.evidence else ""
        line(rule.pattern, f"push {rule.push}", f"force {rule.force}", evidence)
    if not found.enforced:
        say("git is hosted elsewhere: nobody is held to rules here")
