"""`git lepton trust HOST[/OWNER/NAME] | --base OWNER/REPO [--to REMOTE], [--remove] | --list`."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence

from git_lepton.entry.arguments import BadArguments, add_json, parser, print_json
from git_lepton.entry.terminal import say, show
from git_lepton.git.repository import GitRepository
from git_lepton.settings import Settings
from git_lepton.settings.addresses import names_store
from git_lepton.settings.approval import approve, disapprove
from git_lepton.settings.base_consent import all_allowed_bases, allow_base, allowed_bases, disallow_base


def main(arguments: Sequence[str]) -> int:
    """Approve a store that a lepton.toml names, or all stores of a host; take that back, or list what is approved."""
    command = parser("trust", "Let a store that a lepton.toml names have weights of yours. Kept in your own git config.")
    command.add_argument(
        "store",
        nargs="?",
        metavar="HOST[/OWNER/NAME]|OWNER/REPO",
        help="one store; HOST or HOST:PORT alone approves every repository there, whoever it belongs to; by https, or within this"
        " machine: write http:// before it where plain http is meant",
    )
    command.add_argument(
        "--base",
        action="store_true",
        help="instead of a store: OWNER/REPO, whose weights may be bases of what is pushed from here, and be published by that",
    )
    command.add_argument(
        "--to", metavar="REMOTE", help="with --base: the remote that is pushed to; git's own where none is given"
    )
    choice = command.add_mutually_exclusive_group()
    choice.add_argument("--remove", action="store_true", help="take an approval back")
    choice.add_argument("--list", action="store_true", help="list what is approved")
    add_json(command)
    options = command.parse_args(arguments)
    git = GitRepository()
    settings = Settings(git)
    if options.base:
        return _bases(git, settings, options)
    if options.to:
        raise BadArguments("--to goes with --base", "git lepton trust --base OWNER/REPO --to REMOTE")
    if options.list:
        approved = [*settings.trusted_hosts, *settings.trusted_stores]
        if options.json:
            print_json(approved)
        else:
            show(*approved, *(f"{base}  as a base of what goes to {target}" for target, base in all_allowed_bases(settings)))
        return 0
    if not options.store:
        raise BadArguments("name a store or a host", "git lepton trust HOST/OWNER/NAME, or git lepton trust --list")
    if options.remove:
        say(f"{disapprove(git, settings, options.store)} is no longer approved")
        return 0
    name = approve(git, settings, options.store)
    where = name if names_store(name) else f"any repository on {name}"
    say(f"{where} may have weights of repositories whose lepton.toml names it")
    return 0


def _bases(git: GitRepository, settings: Settings, options: Namespace) -> int:
    target = settings.store_location(options.to, push=True)
    if options.list:
        allowed = allowed_bases(settings, target)
        if options.json:
            print_json(allowed)
        else:
            show(*allowed)
        return 0
    if not options.store:
        raise BadArguments("name a repository", "git lepton trust --base OWNER/REPO, or git lepton trust --base --list")
    if options.remove:
        say(f"{disallow_base(git, settings, target, options.store)} is no longer allowed as a base of what goes to {target}")
        return 0
    name = allow_base(git, settings, target, options.store)
    say(f"weights of {name} may be bases of what you push to {target}, and be read by all who may read that")
    return 0
