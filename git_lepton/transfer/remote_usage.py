"""What a server says that a repository takes there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from git_lepton.wire import protocol
from git_lepton.wire.usage import RepositoryUsage

if TYPE_CHECKING:
    from git_lepton.transfer.remote_store import RemoteStore


def usage_of(remote: RemoteStore) -> RepositoryUsage:
    """The server's bill of the repository, by branch too where it hosts the git history. Raises NotFound, NetworkTrouble."""
    path = protocol.repository_path(remote.repository, "usage") + "?branches=true"
    return remote.connection.request("GET", path, asked=f"repository {remote.repository}").message(RepositoryUsage)
