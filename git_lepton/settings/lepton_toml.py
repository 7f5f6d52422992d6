"""HEAD's lepton.toml: read from git, never from the work tree and never from an older commit."""

from __future__ import annotations

from git_lepton.format.lepton_toml import MAX_LEPTON_TOML_BYTES, BadLeptonToml, parse_lepton_toml

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from git_lepton.git.repository import GitRepository


def read_lepton_toml(git: GitRepository) -> dict[str, Any]:
    """The tables of HEAD's lepton.toml; empty where there is none. Raises BadLeptonToml, which names the line."""
    return _read(git, "HEAD:lepton.toml") or {}


def read_staged_lepton_toml(git: GitRepository) -> dict[str, Any]:
    """As the next commit will have it: for what is stored, never for where it is sent. Raises BadLeptonToml."""
    staged = _read(git, ":lepton.toml")
    return read_lepton_toml(git) if staged is None else staged


def _read(git: GitRepository, name: str) -> dict[str, Any] | None:
    status, size, _ = git.try_run("cat-file", "-s", name)
    if status:  # no commit yet, or no such file in it
        return None
    where = "HEAD's" if name.startswith("HEAD") else "the staged"
    if int(size) > MAX_LEPTON_TOML_BYTES:
        raise BadLeptonToml(f"{where} lepton.toml has {int(size)} bytes; at most {MAX_LEPTON_TOML_BYTES} are read")
    return parse_lepton_toml(git.read_blob(name), where)


def store_url(git: GitRepository) -> str | None:
    """`url` of the table [store], or None. Raises BadLeptonToml."""
    store = read_lepton_toml(git).get("store", {})
    url = store.get("url") if isinstance(store, dict) else None
    if not isinstance(store, dict) or not (url is None or isinstance(url, str)):
        raise BadLeptonToml(
            "the store in HEAD's lepton.toml is not a table with a text as url", '[store]\nurl = "https://HOST/OWNER/REPO"'
        )
    return url
