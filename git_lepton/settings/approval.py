"""Approval of stores that a lepton.toml names: of single ones, or of every repository of a host. Kept in the user's own git config.

A tree comes from whoever wrote the commit. A store that only the tree names is asked about once, where somebody can answer.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from git_lepton.errors import WrongUse
from git_lepton.format.visible import visible
from git_lepton.settings.addresses import approved_name, approves_host, names_store
from git_lepton.settings.values import TRUSTED_HOST, TRUSTED_STORE

if TYPE_CHECKING:
    from git_lepton.git.repository import GitRepository
    from git_lepton.settings.addresses import StoreAddress
    from git_lepton.settings.values import Values

_TERMINAL = "/dev/tty"


class NotTrustedBefore(WrongUse):
    """What is to be forgotten is not among what was approved."""


def is_approved(settings: Values, store: StoreAddress) -> bool:
    """Whether the user approved this store, by itself or with all that is on its host."""
    names = map(approved_name, (*settings.trusted_hosts, *settings.trusted_stores))
    return any(name == store.name if names_store(name) else approves_host(name, store) for name in names)


def approve(git: GitRepository, settings: Values, text: str) -> str:
    """Approve a host (HOST, HOST:PORT or its URL) or one store (HOST[:PORT]/OWNER/NAME or its URL), for this user everywhere.

    Returns how it was written down (see approved_name). Raises BadStoreUrl.
    """
    name = approved_name(text)
    if name not in (*settings.trusted_hosts, *settings.trusted_stores):
        git.add_config(_key(name), name, "global")
        settings.forget()
    return name


def disapprove(git: GitRepository, settings: Values, text: str) -> str:
    """Take an approval back. Raises NotTrustedBefore, BadStoreUrl."""
    name = approved_name(text)
    known = settings.trusted_stores if names_store(name) else settings.trusted_hosts
    left = [rule for rule in known if approved_name(rule) != name]
    if len(left) == len(known):
        raise NotTrustedBefore(f"{name} is not among what you approved", "git lepton trust --list shows it.")
    git.unset_config(_key(name), "global")
    for rule in left:
        git.add_config(_key(name), rule, "global")
    settings.forget()
    return name


def ask_to_approve(settings: Values, store: str) -> bool:
    """Ask whoever sits at the terminal about this store; a yes is kept. False where nobody can answer or the answer is no.

    As git asks for passwords: of the terminal itself, since a hook's and a filter's standard input is git's.
    """
    if settings.git is None or not settings.may_ask:
        return False
    with contextlib.suppress(OSError, UnicodeDecodeError), open(_TERMINAL, "r+b", buffering=0) as terminal:  # noqa: PTH123 - no path
        terminal.write(f"lepton.toml names {visible(store)} as the store of weights. Use it, now and later? [y/N] ".encode())
        if terminal.readline(100).decode().strip().lower() in ("y", "yes"):
            approve(settings.git, settings, store)
            return True
    return False


def _key(name: str) -> str:
    return TRUSTED_STORE if names_store(name) else TRUSTED_HOST
