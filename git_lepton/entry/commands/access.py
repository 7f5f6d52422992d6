"""`git lepton access [OWNER/REPO]`."""

from __future__ import annotations

from collections.abc import Sequence

from git_lepton.entry.arguments import BadArguments, parser
from git_lepton.entry.server_commands import add_place, line, run
from git_lepton.entry.terminal import say
from git_lepton.wire.people import Access
from git_lepton.workflow.collaboration.administration import Opened

_SHOWN = {"public": "everybody may read it", "internal": "every account may read it", "private": "nobody else may see it"}


def main(arguments: Sequence[str]) -> int:
    """Who may do what in a repository, and why."""
    command = parser("access", "List who may do what in a repository that you maintain, and what gives them the right.")
    command.add_argument("repository", nargs="?", metavar="OWNER/REPO", help="(default: the one here)")
    add_place(command)
    options = command.parse_args(arguments)

    def ask(opened: Opened, _: object) -> Access:
        repository = options.repository or opened.repository
        if not repository:
            raise BadArguments("name a repository: --server alone names none", "git lepton access OWNER/REPO --server HOST")
        return opened.server.access(repository)

    return run(options, ask, _show)


def _show(found: Access) -> None:
    for account in found.accounts:
        line(f"{account.name:<20}", f"{account.role:<10}", "; ".join(account.by) + (" (disabled)" if account.disabled else ""))
    say(f"it is {found.visibility}: {_SHOWN.get(found.visibility, '')}")
