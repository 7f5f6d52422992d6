"""Consent to bases: repositories whose weights the user allowed to be bases of what is pushed to another, and so to be published there.

Kept in the user's own git config, for each store that is pushed to: neither a lepton.toml nor the config that a repository came with
can allow anything. `git -c lepton.allowBase=OWNER/REPO push` allows it for that one push.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from git_lepton.errors import WrongUse
from git_lepton.settings.git_config import OWN_SCOPES

if TYPE_CHECKING:
    from git_lepton.git.repository import GitRepository
    from git_lepton.settings.location import StoreLocation
    from git_lepton.settings.values import Values

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}/[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_THIS_COMMAND = frozenset({"command"})


class NoSuchBaseName(WrongUse):
    """What should name a repository OWNER/REPO does not."""


class NotAllowedBefore(WrongUse):
    """A base that is no longer to be allowed never was."""


def allowed_bases(settings: Values, target: StoreLocation) -> list[str]:
    """The repositories (OWNER/REPO, in lower case) that may be bases of what goes to `target`, whoever may read them."""
    now = settings.config.all("lepton.allowBase", _THIS_COMMAND)
    return list(dict.fromkeys(name.lower() for name in (*now, *_kept(settings, target))))


def all_allowed_bases(settings: Values) -> list[tuple[str, str]]:
    """What is kept: (HOST/OWNER/NAME or the address that is pushed to, the base OWNER/REPO)."""
    found = []
    for target in settings.config.subsections("lepton"):
        names = settings.config.all(f"lepton.{target}.allowBase", OWN_SCOPES)
        found += [(target, name) for name in dict.fromkeys(name.lower() for name in names)]
    return found


def allow_base(git: GitRepository, settings: Values, target: StoreLocation, repository: str) -> str:
    """Allow it from now on; how it was written down. Raises NoSuchBaseName."""
    name = base_name(repository)
    if name not in _kept(settings, target):
        git.add_config(_key(target), name, "global")
        settings.forget()
    return name


def disallow_base(git: GitRepository, settings: Values, target: StoreLocation, repository: str) -> str:
    """Take that back. Raises NotAllowedBefore, NoSuchBaseName."""
    name, kept = base_name(repository), _kept(settings, target)
    if name not in kept:
        raise NotAllowedBefore(f"{name} is not among the bases that you allowed for {target}", "git lepton trust --base --list")
    git.unset_config(_key(target), "global")
    for other in kept:
        if other != name:
            git.add_config(_key(target), other, "global")
    settings.forget()
    return name


def base_name(text: str) -> str:
    """OWNER/REPO as it is compared: upper and lower case are the same. Raises NoSuchBaseName."""
    if not _NAME.fullmatch(text):
        raise NoSuchBaseName(f"{text!r} names no repository", "Name it as OWNER/REPO.")
    return text.lower()


def _kept(settings: Values, target: StoreLocation) -> list[str]:
    return list(dict.fromkeys(name.lower() for name in settings.config.all(_key(target), OWN_SCOPES)))


def _key(target: StoreLocation) -> str:
    return f"lepton.{target.url}/{target.repository.lower()}.allowBase"
