"""`git lepton login HOST [--token-stdin]`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from getpass import getpass

from git_lepton.entry.arguments import BadArguments, parser
from git_lepton.entry.moments import moment
from git_lepton.entry.terminal import say
from git_lepton.format.tokens import clean_token
from git_lepton.git.repository import GitRepository
from git_lepton.settings import Settings
from git_lepton.transfer.http.refusals import LoginNeeded
from git_lepton.wire.messages import Account
from git_lepton.workflow.setup.login import log_in, server_url

_LONGEST = 4096  # characters of a line with a token
_SCOPES = ("read", "write", "evidence", "admin")


def main(arguments: Sequence[str]) -> int:
    """Check a token with its server, and let git's credential helper keep it."""
    command = parser("login", "Check a token with its server and let git's credential helper keep it.")
    command.add_argument("host", metavar="HOST", help="HOST[:PORT] or the server's address")
    command.add_argument("--token-stdin", action="store_true", help="read the token from standard input")
    options = command.parse_args(arguments)
    git = GitRepository()
    settings = Settings(git)
    token = _token(settings, server_url(options.host), from_stdin=options.token_stdin)
    try:
        done = log_in(git, settings, options.host, token)
    except LoginNeeded as error:  # whose hint is this very command
        raise LoginNeeded(
            error.message, "Whoever runs the server makes one: lepton-server token create NAME --data DIR"
        ) from error
    if done.new_helper:
        say("there was no credential helper: from now on git keeps this host's token in ~/.git-credentials, readable by you only")
    say(f"logged in to {done.url} as {done.account.name}")
    if limits := _limits(done.account):
        say(f"this token {limits}")
    return 0


def _limits(account: Account) -> str:
    """What a token may not do that its account may, as the end of a sentence; empty for one without limits, or of an older server."""
    parts = []
    if account.scopes and set(account.scopes) != set(_SCOPES):
        parts.append(f"is for {', '.join(scope for scope in _SCOPES if scope in account.scopes)}")
    if account.repositories is not None:
        parts.append(f"sees only {', '.join(account.repositories)}" if account.repositories else "sees no repository")
    if account.expires is not None:
        parts.append(f"ends {moment(account.expires)}")
    return ", ".join(parts)


def _token(settings: Settings, url: str, *, from_stdin: bool) -> str:
    if from_stdin:
        token = sys.stdin.buffer.readline(_LONGEST).decode("utf-8", "replace")
    elif settings.interactive:
        token = _typed(url)
    else:
        raise BadArguments("nobody is here to ask for a token", "git lepton login HOST --token-stdin < TOKEN_FILE")
    try:
        token = clean_token(token)
    except ValueError:
        token = ""
    if not token:
        raise BadArguments("that is no token", "A token is one word, as `lepton-server token create NAME` prints it.")
    return token


def _typed(url: str) -> str:
    try:
        return getpass(f"Token for {url}: ")
    except EOFError:  # Ctrl-D
        sys.stderr.write("\n")
        return ""
