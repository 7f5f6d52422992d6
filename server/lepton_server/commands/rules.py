"""`lepton-server rule`: who may move which branches and tags of a repository."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING

from lepton_server.commands.data_options import existing
from lepton_server.commands.messages import say, show

if TYPE_CHECKING:
    from lepton_server.protection.branch_rules import Rule

Commands = argparse._SubParsersAction


def add(commands: Commands[argparse.ArgumentParser], place: argparse.ArgumentParser) -> None:
    rule = commands.add_parser("rule", help="rules of branches and tags").add_subparsers(required=True, metavar="COMMAND")
    listing = rule.add_parser("list", parents=[place], help="print the rules of a repository")
    listing.add_argument("repository", metavar="OWNER/REPO")
    listing.set_defaults(run=_list)
    change = rule.add_parser("set", parents=[place], help="add or change the rule for the refs of a pattern")
    change.add_argument("repository", metavar="OWNER/REPO")
    change.add_argument(
        "pattern", metavar="PATTERN", help="a pattern of full names: refs/heads/main, refs/heads/release/*, refs/tags/v*"
    )
    change.add_argument(
        "--push", metavar="ROLE", help="the lowest role that may push, or nobody (default: unchanged; for a new rule: writer)"
    )
    change.add_argument(
        "--force",
        metavar="ROLE",
        help="the lowest role that may delete or force, or nobody (default: unchanged; for a new rule: writer)",
    )
    change.add_argument(
        "--evidence",
        metavar="CHECKS",
        help="the checks that a new tip must have passed, joined by commas; '' for none (default: unchanged; for a new rule: none)",
    )
    change.set_defaults(run=_set)
    remove = rule.add_parser("remove", aliases=["delete"], parents=[place], help="remove the rule of a pattern")
    remove.add_argument("repository", metavar="OWNER/REPO")
    remove.add_argument("pattern", metavar="PATTERN")
    remove.set_defaults(run=_remove)


def _list(options: argparse.Namespace) -> None:
    from lepton_server.backends import changes
    from lepton_server.protection.branch_rules import rules_of
    from lepton_server.repositories.naming import known_repository

    with changes(existing(options)) as connection:
        repository = known_repository(connection, options.repository)
        for rule in rules_of(connection, repository):
            _print(rule)
    if repository.kind != "hosted":
        say(f"nobody is held to rules of {repository.full_name}: its git history is not hosted here")


def _set(options: argparse.Namespace) -> None:
    from lepton_server.backends import changes
    from lepton_server.protection.branch_rules import Rule, rules_of, set_rule
    from lepton_server.repositories.naming import known_repository

    given = {name: getattr(options, name) for name in ("push", "force") if getattr(options, name) is not None}
    if options.evidence is not None:
        given["evidence"] = tuple(check.strip() for check in options.evidence.split(",")) if options.evidence else ()
    with changes(existing(options)) as connection:
        repository = known_repository(connection, options.repository)
        before = {rule.pattern: rule for rule in rules_of(connection, repository)}
        rule = replace(before.get(options.pattern) or Rule(options.pattern), **given)
        set_rule(connection, None, repository, rule)
    _print(rule)


def _remove(options: argparse.Namespace) -> None:
    from git_lepton.errors import WrongUse
    from lepton_server.backends import changes
    from lepton_server.protection.branch_rules import remove_rule
    from lepton_server.repositories.naming import known_repository

    with changes(existing(options)) as connection:
        if not remove_rule(connection, None, known_repository(connection, options.repository), options.pattern):
            raise WrongUse(f"there is no rule {options.pattern!r}", f"lepton-server rule list {options.repository}")


def _print(rule: Rule) -> None:
    evidence = f"  evidence {','.join(rule.evidence)}" if rule.evidence else ""
    show(f"{rule.pattern}  push {rule.push}  force {rule.force}{evidence}")
