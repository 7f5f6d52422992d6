"""Settings, which the user decided: environment, git config and HEAD's lepton.toml. No other module reads any of the three.

`Settings` is cheap to make and reads each source when first asked for something in it.
"""

from git_lepton.settings.settings import Settings
from git_lepton.settings.values import SETTINGS, BadSetting, Setting

__all__ = ["SETTINGS", "BadSetting", "Setting", "Settings", "settings_outside"]


def settings_outside() -> Settings:
    """The settings for work that needs no repository: those of the user's git, or of the environment alone where there is no
    git."""
    from shutil import which

    if which("git") is None:
        return Settings(None)
    from git_lepton.git.repository import GitRepository

    return Settings(GitRepository())
