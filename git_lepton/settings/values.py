"""`Settings`: the single values, each from its variable or its git config key, as one table says."""

from __future__ import annotations

import os

from git_lepton.errors import WrongUse
from git_lepton.settings.git_config import OWN_SCOPES, GitConfig, flag, read_config

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from git_lepton.git.repository import GitRepository
    from git_lepton.settings.location import StoreLocation
    from git_lepton.settings.network import HttpSettings

_UNITS = {"k": 2**10, "m": 2**20, "g": 2**30}


class BadSetting(WrongUse):
    """A variable or a git config entry has a value that it may not have."""


class Setting:
    """One row of the table: where a value comes from (the variable wins over the config key), its kind and its default."""

    def __init__(self, name: str, kind: str, default: Any, text: str, *, key: str = "", variable: str = "") -> None:
        self.name, self.kind, self.default, self.text = name, kind, default, text
        self.key, self.variable = key, variable

    def read(self, text: str, source: str) -> Any:
        """The value that a text stands for. Raises BadSetting, which names `source`."""
        try:
            return _READERS[self.kind](text)
        except ValueError as error:
            raise BadSetting(
                f"{source} is {text!r}, which is not {_WORDS[self.kind]}", f"For example: {self._example()}"
            ) from error

    def _example(self) -> str:
        example = {"size": "128m", "count": "4", "flag": "true", "codecs": "0,1,2", "text": "TEXT"}[self.kind]
        return f"git config {self.key} {example}" if self.key else f"{self.variable}={example}"


SETTINGS = (
    Setting(
        "token",
        "text",
        None,
        "The token for the store: for GIT_LEPTON_HOST if that is set, else for remotes that you typed.",
        variable="GIT_LEPTON_TOKEN",
    ),
    Setting(
        "token_host",
        "text",
        None,
        "The host that GIT_LEPTON_TOKEN is for: HOST, or HOST:PORT for one port only.",
        variable="GIT_LEPTON_HOST",
    ),
    Setting(
        "skip_smudge",
        "flag",
        False,
        "Leave pointers in the work tree; `git lepton pull` brings the weights later.",
        variable="GIT_LEPTON_SKIP_SMUDGE",
    ),
    Setting("url", "text", None, "The store to use, whatever remote and lepton.toml say.", key="lepton.url"),
    Setting(
        "smudge_limit",
        "size",
        128 * 2**20,
        "Files above this size are written beside git's pipe, after git is done, so that git never holds them in memory.",
        key="lepton.smudgeLimit",
    ),
    Setting(
        "scratch_limit",
        "size",
        None,
        "How many bytes of weights that no commit holds the local store keeps; by default twice the largest file.",
        key="lepton.scratchLimit",
    ),
    Setting("codecs", "codecs", None, "The codec ids that `git add` may use; by default all released ones.", key="lepton.codecs"),
    Setting("concurrency", "count", 4, "How many packs travel at once.", key="lepton.concurrency"),
    Setting(
        "memory",
        "size",
        None,
        "How much memory weights under way may take; by default a quarter of the machine's or container's, 48 to 384 MiB.",
        variable="GIT_LEPTON_MEMORY",
    ),
)
_BY_NAME = {setting.name: setting for setting in SETTINGS}
TRUSTED_HOST = "lepton.trustedHost"  # many values, in the user's own config; `git lepton trust` keeps it


class Settings:
    """The values that hold in one repository, or with git=None outside of any. `environment` is os.environ by default."""

    def __init__(self, git: GitRepository | None, environment: Mapping[str, str] | None = None) -> None:
        self.git = git
        self.environment: Mapping[str, str] = os.environ if environment is None else environment
        self._config: GitConfig | None = None
        self._http: dict[str, HttpSettings] = {}

    @property
    def config(self) -> GitConfig:
        """Git's configuration, read once."""
        if self._config is None:
            self._config = read_config(self.git) if self.git else GitConfig([])
        return self._config

    def value(self, name: str) -> Any:
        """The value of one row of SETTINGS. Raises BadSetting."""
        return self.value_and_source(name)[0]

    def value_and_source(self, name: str) -> tuple[Any, str]:
        """A value, and the variable or key it came from ("default" where neither is set)."""
        setting = _BY_NAME[name]
        if setting.variable and (text := self.environment.get(setting.variable)):
            return setting.read(text, setting.variable), setting.variable
        if setting.key and (text := self.config.last(setting.key)) is not None:
            return setting.read(text, setting.key), setting.key
        return setting.default, "default"

    @property
    def token(self) -> str | None:
        token: str | None = self.value("token")
        return token

    @property
    def token_host(self) -> str | None:
        """The host that the token is for, as it was written."""
        host: str | None = self.value("token_host")
        return host

    @property
    def skip_smudge(self) -> bool:
        return bool(self.value("skip_smudge"))

    @property
    def smudge_limit(self) -> int:
        """Bytes."""
        return int(self.value("smudge_limit"))

    @property
    def scratch_limit(self) -> int | None:
        """Bytes, or None for the local store's own rule."""
        limit: int | None = self.value("scratch_limit")
        return limit

    @property
    def codecs(self) -> frozenset[int] | None:
        """The codec ids that may be written, or None for all released ones."""
        codecs: frozenset[int] | None = self.value("codecs")
        return codecs

    @property
    def concurrency(self) -> int:
        return int(self.value("concurrency"))

    @property
    def memory(self) -> int | None:
        """Bytes, or None for a share of what there is (see settings.resources)."""
        memory: int | None = self.value("memory")
        return memory

    @property
    def trusted_hosts(self) -> list[str]:
        """The hosts that the user approved, as they were written.

        Only the user's own scopes count, not the repository's: trust is a person's word about a host, and a repository's config
        comes along with an archive, a shared folder or a tool that set it up.
        """
        return list(dict.fromkeys(self.config.all(TRUSTED_HOST, OWN_SCOPES)))

    @property
    def interactive(self) -> bool:
        """Whether somebody can answer a question."""
        import sys

        if flag(self.environment.get("GIT_TERMINAL_PROMPT", "1")) is False:
            return False
        return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))

    def http(self, url: str) -> HttpSettings:
        """Git's own proxy and TLS settings for a URL."""
        from git_lepton.settings.network import http_settings

        if url not in self._http:
            self._http[url] = http_settings(self, url)
        return self._http[url]

    def rewrite(self, url: str, *, push: bool = False) -> str:
        """The URL after git's url.<base>.insteadOf (and pushInsteadOf)."""
        for key in ("pushinsteadof", "insteadof") if push else ("insteadof",):
            rules = [(prefix, base) for base in self.config.subsections("url") for prefix in self.config.all(f"url.{base}.{key}")]
            prefix, base = max(((p, b) for p, b in rules if p and url.startswith(p)), key=lambda r: len(r[0]), default=("", ""))
            if prefix:
                return base + url[len(prefix) :]
        return url

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


def _size(text: str) -> int:
    unit = _UNITS.get(text[-1:].lower(), 0)
    value = int(text[:-1]) * unit if unit else int(text)
    if value < 0:
        raise ValueError(text)
    return value


def _count(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 64:
        raise ValueError(text)
    return value


def _flag(text: str) -> bool:
    value = flag(text)
    if value is None:
        raise ValueError(text)
    return value


def _codecs(text: str) -> frozenset[int]:
    codecs = frozenset(int(part) for part in text.replace(",", " ").split())
    if not codecs or not all(0 <= codec <= 255 for codec in codecs):
        raise ValueError(text)
    return codecs | {0}  # raw bytes are always possible: what does not shrink is kept as it is


_READERS: dict[str, Callable[[str], Any]] = {"text": str, "size": _size, "count": _count, "flag": _flag, "codecs": _codecs}
_WORDS = {
    "size": "a size in bytes (k, m and g may follow)",
    "count": "a number from 1 to 64",
    "flag": "true or false",
    "codecs": "a list of codec ids",
    "text": "a text",
}
