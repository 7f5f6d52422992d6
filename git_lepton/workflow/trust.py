"""Which hosts the user approved to get weights although only a lepton.toml names them. Kept in the user's own git config."""

from __future__ import annotations

from git_lepton.errors import WrongUse
from git_lepton.git.repository import GitRepository
from git_lepton.settings import TRUSTED_HOST, Settings
from git_lepton.settings.addresses import normal_authority


class NotTrustedBefore(WrongUse):
    """A host that is to be forgotten is not among the approved ones."""


def trusted(settings: Settings) -> list[str]:
    """The approved hosts, as they were written."""
    return settings.trusted_hosts


def trust(git: GitRepository, settings: Settings, host: str) -> str:
    """Approve a host (HOST, HOST:PORT or a URL), for this user everywhere. Returns how it was written down. Raises
    BadStoreUrl."""
    authority = normal_authority(host)
    if authority not in settings.trusted_hosts:
        git.add_config(TRUSTED_HOST, authority, "global")
    return authority


def distrust(git: GitRepository, settings: Settings, host: str) -> str:
    """Take an approval back. Raises NotTrustedBefore."""
    authority = normal_authority(host)
    left = [known for known in settings.trusted_hosts if normal_authority(known) != authority]
    if len(left) == len(settings.trusted_hosts):
        raise NotTrustedBefore(f"{authority} is not among the hosts that you approved", "git lepton trust --list shows them.")
    git.unset_config(TRUSTED_HOST, "global")
    for known in left:
        git.add_config(TRUSTED_HOST, known, "global")
    return authority
