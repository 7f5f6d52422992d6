"""What the user decided: environment, git config and HEAD's lepton.toml. No other module reads any of the three.

`Settings` is cheap to make and reads each source when first asked for something in it.
"""

from git_lepton.settings.values import SETTINGS, TRUSTED_HOST, BadSetting, Setting, Settings

__all__ = ["SETTINGS", "TRUSTED_HOST", "BadSetting", "Setting", "Settings"]
