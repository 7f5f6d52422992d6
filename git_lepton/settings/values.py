"""The single values: each from its variable or its git config key, as one table says."""

from __future__ import annotations

import os

from git_lepton.errors import WrongUse
from git_lepton.settings.git_config import OWN_SCOPES, GitConfig, flag, read_config
from git_lepton.settings.kinds import EXAMPLES, READERS, WORDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from git_lepton.git.repository import GitRepository


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
            return READERS[self.kind](text)
        except ValueError as error:
            if self.kind == "secret":  # never quoted
                raise BadSetting(f"{source} {error}", "It is one word, as `lepton-server token create` prints it.") from None
            raise BadSetting(
                f"{source} is {text!r}, which is not {WORDS[self.kind]}", f"For example: {self._example()}"
            ) from error

    def _example(self) -> str:
        example = EXAMPLES[self.kind]
        return f"git config {self.key} {example}" if self.key else f"{self.variable}={example}"


SETTINGS = (
    Setting(
        "token",
        "secret",
        None,
        "The token for the store. It is sent to GIT_LEPTON_HOST if that is set, otherwise to remotes that you typed. A submodule's "
        "remote does not count as typed, and neither does any remote while GIT_PROTOCOL_FROM_USER is 0.",
        variable="GIT_LEPTON_TOKEN",
    ),
    Setting(
        "token_host",
        "text",
        None,
        "The host that GIT_LEPTON_TOKEN may be sent to: HOST, or HOST:PORT for one port only.",
        variable="GIT_LEPTON_HOST",
    ),
    Setting(
        "skip_smudge",
        "flag",
        False,
        "Leave pointers in the work tree; `git lepton pull` brings the weights later.",
        variable="GIT_LEPTON_SKIP_SMUDGE",
    ),
    Setting("url", "text", None, "The store to use, whatever the remote and lepton.toml say.", key="lepton.url"),
    Setting(
        "smudge_limit",
        "size",
        128 * 2**20,
        "Larger files are written without git's pipe, after git has finished, so that git never holds them in memory.",
        key="lepton.smudgeLimit",
    ),
    Setting(
        "scratch_limit",
        "size",
        None,
        "How many bytes of uncommitted weights the local store keeps; by default twice the size of the largest file.",
        key="lepton.scratchLimit",
    ),
    Setting(
        "gates",
        "flag",
        False,
        "Whether models are judged by their gates before each push; `git lepton hooks install` sets this to true.",
        key="lepton.gates",
    ),
    Setting(
        "hooks",
        "flag",
        True,
        "Whether a repository with weights gets the pre-push hook automatically; `--no-hooks` sets this to false.",
        key="lepton.hooks",
    ),
    Setting("codecs", "codecs", None, "The codec ids that `git add` may use; by default all released ones.", key="lepton.codecs"),
    Setting("concurrency", "count", 4, "How many packs are transferred at once.", key="lepton.concurrency"),
    Setting(
        "memory",
        "size",
        None,
        "How much memory transfers and coding may use; by default a quarter of the machine's or container's, 48 to 384 MiB.",
        variable="GIT_LEPTON_MEMORY",
    ),
)
# What the user approved; many values each, in the user's own config; `git lepton trust` keeps them. Two keys: a program that knows
# only hosts must not take the name of one store for approval of its whole host.
TRUSTED_HOST, TRUSTED_STORE = "lepton.trustedHost", "lepton.trustedStore"
_BY_NAME = {setting.name: setting for setting in SETTINGS}


class Values:
    """The values that hold in one repository, or with git=None outside of any. `environment` is os.environ by default."""

    def __init__(self, git: GitRepository | None, environment: Mapping[str, str] | None = None) -> None:
        self.git = git
        self.environment: Mapping[str, str] = os.environ if environment is None else environment
        self._config: GitConfig | None = None
        self._origin: str | None = None

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
    def hooks(self) -> bool:
        """Whether hooks may be written where nobody asked for it just now."""
        return bool(self.value("hooks"))

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
        """The hosts of which the user approved every repository, as they were written.

        Only the user's own scopes count, not the repository's: trust is a person's word about a host, and a repository's config
        comes along with an archive, a shared folder or a tool that set it up.
        """
        return self._approved(TRUSTED_HOST)

    @property
    def trusted_stores(self) -> list[str]:
        """The single stores that the user approved, HOST[:PORT]/OWNER/NAME, by the same rule."""
        return self._approved(TRUSTED_STORE)

    def _approved(self, key: str) -> list[str]:
        return list(dict.fromkeys(self.config.all(key, OWN_SCOPES)))

    def forget(self) -> None:
        """Git's configuration has changed: read it again."""
        self._config = None

    @property
    def origin_of_remotes(self) -> str:
        """Who named this repository's remotes: "remote" (the user typed them), or "submodule" (a superproject's tree may have)."""
        if self._origin is None:
            self._origin = "submodule" if self._named_by_a_superproject() else "remote"
        return self._origin

    def _named_by_a_superproject(self) -> bool:
        """While git works on what others named it sets GIT_PROTOCOL_FROM_USER to 0: `git submodule` and recursive clones do so."""
        if flag(self.environment.get("GIT_PROTOCOL_FROM_USER", "1")) is False:
            return True
        if self.git is None:
            return False
        from git_lepton.git.repository import NotARepository
        from git_lepton.git.submodule import is_submodule

        try:
            return is_submodule(self.git)
        except NotARepository:  # somebody asks for an address outside of any
            return False

    @property
    def may_ask(self) -> bool:
        """Whether the user lets git's programs ask questions, and would see one."""
        import sys

        allowed = flag(self.environment.get("GIT_TERMINAL_PROMPT", "1")) is not False
        return allowed and sys.stderr is not None and sys.stderr.isatty()

    @property
    def interactive(self) -> bool:
        """Whether somebody can answer a question on standard input."""
        import sys

        return self.may_ask and sys.stdin is not None and sys.stdin.isatty()

    def rewrite(self, url: str, *, push: bool = False) -> str:
        """The URL after git's url.<base>.insteadOf (and pushInsteadOf)."""
        for key in ("pushinsteadof", "insteadof") if push else ("insteadof",):
            rules = [(prefix, base) for base in self.config.subsections("url") for prefix in self.config.all(f"url.{base}.{key}")]
            prefix, base = max(((p, b) for p, b in rules if p and url.startswith(p)), key=lambda r: len(r[0]), default=("", ""))
            if prefix:
                return base + url[len(prefix) :]
        return url
