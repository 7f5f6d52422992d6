"""Git's configuration as a list of entries, read by one run of git; what they mean is `values`' business."""

from __future__ import annotations

from git_lepton.git.program import git_failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from git_lepton.git.repository import GitRepository


# Scopes that are the user's own. "local" and "worktree" are a repository's: they arrive with an archive or a shared folder.
OWN_SCOPES = frozenset({"system", "global", "command"})
_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0", ""})


class GitConfig:
    """Entries (scope, key, value) in git's order; a later one wins. Keys are as git prints them: section and name in lower
    case."""

    def __init__(self, entries: Iterable[tuple[str, str, str]]) -> None:
        self._entries = list(entries)

    def last(self, key: str) -> str | None:
        """The value that counts, or None."""
        values = self.all(key)
        return values[-1] if values else None

    def all(self, key: str, scopes: frozenset[str] | None = None) -> list[str]:
        """Every value of a key, in order; only those of `scopes` where given."""
        wanted = canonical_key(key)
        return [value for scope, name, value in self._entries if name == wanted and (scopes is None or scope in scopes)]

    def subsections(self, section: str) -> list[str]:
        """The names in [section "name"], in order, each once."""
        names = (key.split(".", 1)[1].rpartition(".")[0] for _, key, _ in self._entries if key.startswith(section + "."))
        return list(dict.fromkeys(name for name in names if name))


def read_config(git: GitRepository) -> GitConfig:
    """All of git's configuration that holds here, includes followed."""
    fields = git.run("config", "--list", "-z", "--show-scope", "--includes").decode("utf-8", "surrogateescape").split("\0")
    pairs = zip(fields[::2], fields[1::2], strict=False)
    return GitConfig((scope, *_key_and_value(text)) for scope, text in pairs)


def read_for_url(git: GitRepository, section: str, url: str) -> dict[str, str]:
    """The settings of `section` that hold for a URL, by git's own rules of precedence. Names are in lower case."""
    arguments = ("config", "-z", "--get-urlmatch", section, url)
    status, output, said = git.try_run(*arguments)
    if status > 1:  # 1: nothing is set
        raise git_failed(arguments, status, said)
    entries = dict(_key_and_value(text) for text in output.decode("utf-8", "surrogateescape").split("\0") if text)
    return {key.rpartition(".")[2]: value for key, value in entries.items()}


def canonical_key(key: str) -> str:
    """A key as git prints it: section and name in lower case, the part between as it is."""
    section, _, rest = key.partition(".")
    middle, dot, name = rest.rpartition(".")
    return f"{section.lower()}.{middle}{dot}{name.lower()}"


def flag(text: str) -> bool | None:
    """Git's reading of a boolean; None for what is none."""
    word = text.lower()
    return True if word in _TRUE else False if word in _FALSE else None


def _key_and_value(text: str) -> tuple[str, str]:
    key, newline, value = text.partition("\n")
    return key, value if newline else "true"  # a key without a value is git's short form of true
