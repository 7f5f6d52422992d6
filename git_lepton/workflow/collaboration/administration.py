"""Opens the server that an administrative command is about: the one that was named, or the one behind the repository here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from git_lepton.errors import WrongUse
from git_lepton.git.repository import GitRepository, NotARepository
from git_lepton.settings import Settings
from git_lepton.transfer.administration import Administration
from git_lepton.transfer.remote_store import connect
from git_lepton.workflow.setup.login import server_url
from git_lepton.workspace import open_workspace

_ANY = "any/any"  # a repository of a server about which nothing is asked


class NoServerNamed(WrongUse):
    """A command about a server outside of any repository, without its name."""


class Opened(NamedTuple):
    """The server, and the repository (OWNER/NAME) behind the one here; "" where the server was named."""

    server: Administration
    repository: str


@contextmanager
def administration(server: str | None, remote: str | None = None) -> Iterator[Opened]:
    """`server` is HOST[:PORT] or an address, `remote` a remote of the repository here. Raises what opening one does."""
    if server is None:
        try:
            here = open_workspace()
        except NotARepository as error:
            raise NoServerNamed(f"{error.message}, so it is not known which server is meant", "Name it: --server HOST") from error
        with here as workspace:
            store = workspace.remote(remote)
            yield Opened(Administration(store.connection), store.repository)
        return
    settings = Settings(GitRepository())
    named = connect(settings.location_of_url(f"{server_url(server)}/{_ANY}"), settings)
    try:
        yield Opened(Administration(named.connection), "")
    finally:
        named.close()
