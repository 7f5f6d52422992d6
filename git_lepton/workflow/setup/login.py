"""Checks a token with its server and hands it to git's own credential helpers, which keep it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from git_lepton.errors import WrongUse
from git_lepton.git.repository import GitRepository
from git_lepton.settings import Settings
from git_lepton.settings.addresses import is_private
from git_lepton.transfer.http.connection import Connection
from git_lepton.transfer.http.credentials import Credential, CredentialChain, GitCredentials
from git_lepton.transfer.http.hosts import host_of
from git_lepton.transfer.http.refusals import ADDRESS_HINT, NotALeptonServer
from git_lepton.transfer.remote_store import RemoteStore
from git_lepton.wire.messages import Account


class TokenInTheClear(WrongUse):
    """A token would have to travel over plain http."""


@dataclass(frozen=True)
class LoggedIn:
    """Who the server takes us for and what the token may do, the server's URL, and the helper that this call had to configure (None:
    there was one)."""

    account: Account
    url: str
    new_helper: str | None


def server_url(host: str) -> str:
    """https://HOST, or http:// for this very machine; a URL stays what it is. No path, no user."""
    if "://" not in host:
        host = f"http://{host}" if is_private(f"http://{host}") else f"https://{host}"
    parts = urlsplit(host.removeprefix("lepton::"))
    return f"{parts.scheme}://{host_of(f'{parts.scheme}://{parts.netloc}')}"


def log_in(git: GitRepository, settings: Settings, host: str, token: str) -> LoggedIn:
    """Ask the server whose token it is, then let git keep it. Raises TokenInTheClear, NotAllowed, NetworkTrouble."""
    url = server_url(host)
    if not is_private(url):
        raise TokenInTheClear(f"{url} is plain http, and a token would travel in the clear", "Use its https:// address.")
    chain = CredentialChain(token=token, token_host=host_of(url))
    with Connection(url, credentials=chain, network=settings.http) as connection:
        account = RemoteStore(connection, "").account()
    if not account.name.isprintable():  # a line end would begin another line of what git is told: another host, another token
        raise NotALeptonServer(f"{host_of(url)} gives an account a name that none can have", ADDRESS_HINT)
    helper = _ensure_helper(git, url)
    parts = urlsplit(url)
    text = f"protocol={parts.scheme}\nhost={parts.netloc}\nusername={account.name}\npassword={token}\n"
    credential = Credential("git", token, account.name, text.encode())
    GitCredentials(interactive=False).tell("approve", credential)
    return LoggedIn(account, url, helper)


def _ensure_helper(git: GitRepository, url: str) -> str | None:
    """Where no credential helper is configured for this URL, `store` becomes it: a file that only the user can read."""
    if git.config_for_url("credential.helper", url):
        return None
    git.set_config(f"credential.{url}.helper", "store", "global")
    return "store"
