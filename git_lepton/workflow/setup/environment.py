"""The set-up that is here, for `git lepton env` and `doctor`: versions, places, settings and where each is from. Never a secret."""

from __future__ import annotations

import platform
import shutil
from typing import Any

from git_lepton import __version__
from git_lepton.errors import LeptonError
from git_lepton.git.configuration import FILTER_KEY
from git_lepton.git.hooks import hooks_folder, pre_push_state
from git_lepton.git.repository import GitRepository, NotARepository
from git_lepton.settings import SETTINGS, Settings
from git_lepton.settings.addresses import without_user
from git_lepton.settings.location import StoreNotTrusted

_RULES = {
    "config": "git config lepton.url",
    "remote": "the git remote's own store",
    "submodule": "the git remote's own store, named by the superproject",
    "tree": "store.url in HEAD's lepton.toml",
}


def describe(git: GitRepository, settings: Settings) -> dict[str, Any]:
    """Everything as JSON values."""
    return {
        "versions": {
            "git-lepton": __version__,
            "python": platform.python_version(),
            "git": git.text("version").removeprefix("git version "),
            "platform": platform.platform(),
        },
        "programs": {name: shutil.which(name) for name in ("git-lepton", "git-remote-lepton", "git")},
        "repository": _repository(git),
        "store": describe_store(settings),
        "filter": git.config(FILTER_KEY),
        "settings": _settings(settings),
        "trusted_hosts": settings.trusted_hosts,
        "trusted_stores": settings.trusted_stores,
    }


def describe_store(settings: Settings) -> dict[str, Any]:
    """Where weights go, and which rule decided; or why they go nowhere."""
    try:
        location = settings.store_location()
    except NotARepository:
        return {"place": None, "rule": None, "problem": "this is not in a git repository", "hint": ""}
    except StoreNotTrusted as error:
        return {"place": str(error.location), "rule": _RULES["tree"], "problem": error.message, "hint": error.hint}
    except LeptonError as error:
        return {"place": None, "rule": None, "problem": error.message, "hint": error.hint}
    rule = "a remote that is a folder" if location.kind == "folder" and location.origin == "remote" else _RULES[location.origin]
    return {
        "place": str(location),
        "rule": rule,
        "remote": without_user(location.remote or "") or None,
        "problem": None,
        "hint": "",
    }


def _repository(git: GitRepository) -> dict[str, Any] | None:
    try:
        common = git.common_dir
    except NotARepository:
        return None
    top = git.top_level
    return {
        "work_tree": str(top) if top else None,
        "git_dir": str(git.git_dir),
        "local_store": str(common / "lepton"),
        "pre_push_hook": pre_push_state(hooks_folder(git).path),
    }


def _settings(settings: Settings) -> dict[str, Any]:
    found = {}
    for setting in SETTINGS:
        try:
            value, source = settings.value_and_source(setting.name)
            if setting.kind == "secret":
                value = "set" if value else "not set"
        except LeptonError as error:
            value, source = f"wrong: {error.message}", setting.variable or setting.key
        if setting.name == "url" and value:
            value = without_user(value)
        found[setting.key or setting.variable] = {
            "value": sorted(value) if isinstance(value, frozenset) else value,
            "source": source,
        }
    return found
