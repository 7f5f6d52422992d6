"""Settings of one repository: its values, and what follows from them (its stores, and how their hosts are reached)."""

from __future__ import annotations

from git_lepton.settings.values import Values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from git_lepton.git.repository import GitRepository
    from git_lepton.settings.location import StoreLocation
    from git_lepton.settings.network import HttpSettings


class Settings(Values):
    """The settings of one repository, or with git=None those outside of any. `environment` is os.environ by default."""

    def __init__(self, git: GitRepository | None, environment: Mapping[str, str] | None = None) -> None:
        super().__init__(git, environment)
        self._http: dict[str, HttpSettings] = {}

    def http(self, url: str) -> HttpSettings:
        """Git's own proxy and TLS settings for a URL."""
        from git_lepton.settings.network import http_settings

        if url not in self._http:
            self._http[url] = http_settings(self, url)
        return self._http[url]

    def remote_name(self, given: str | None = None, *, push: bool = False) -> str | None:
        """The git remote to use: the given one, else the current branch's, else origin, else the only one, else none."""
        from git_lepton.settings.location import remote_name

        return remote_name(self, given, push=push)

    def store_location(self, remote: str | None = None, *, push: bool = False) -> StoreLocation:
        """Where this repository's weights are; `remote` is a remote's name or a URL. Raises NoStore, StoreNotTrusted, BadStoreUrl
        or BadLeptonToml."""
        from git_lepton.settings.location import store_location

        return store_location(self, remote, push=push)

    def location_of_url(self, url: str) -> StoreLocation:
        """The store that a URL names by itself. Raises BadStoreUrl."""
        from git_lepton.settings.location import location_of_url

        return location_of_url(self, url)
