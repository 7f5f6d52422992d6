"""`git lepton trust HOST [--remove] | --list`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from git_lepton.entry.arguments import BadArguments, add_json, parser, print_json
from git_lepton.entry.terminal import say
from git_lepton.git.repository import GitRepository
from git_lepton.settings import Settings
from git_lepton.workflow.trust import distrust, trust, trusted


def main(arguments: Sequence[str]) -> int:
    """Approve a host that a lepton.toml names, take that back, or list the approved ones."""
    command = parser("trust", "Let a host that a lepton.toml names have weights of yours. Kept in your own git config.")
    command.add_argument("host", nargs="?", metavar="HOST", help="HOST, or HOST:PORT for one port only")
    choice = command.add_mutually_exclusive_group()
    choice.add_argument("--remove", action="store_true", help="take an approval back")
    choice.add_argument("--list", action="store_true", help="list the approved hosts")
    add_json(command)
    options = command.parse_args(arguments)
    git = GitRepository()
    settings = Settings(git)
    if options.list:
        if options.json:
            print_json(trusted(settings))
        else:
            sys.stdout.write("".join(f"{host}\n" for host in trusted(settings)))
        return 0
    if not options.host:
        raise BadArguments("name a host", "git lepton trust HOST, or git lepton trust --list")
    if options.remove:
        say(f"{distrust(git, settings, options.host)} is no longer approved")
    else:
        say(f"{trust(git, settings, options.host)} may have weights of repositories whose lepton.toml names it")
    return 0
