"""Addresses of stores and git remotes, read without asking anybody: what they name, and which host stands behind them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from git_lepton.errors import WrongUse

FORM = "A store's address is https://HOST/OWNER/REPO."
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_SCP_LIKE = re.compile(r"(?:[^@/]+@)?(\[[^\]]+\]|[^:/\[]{2,}):(?![:/]{2})")  # one letter before the colon is a Windows drive
_LOOPBACK = re.compile(r"localhost|127(\.\d{1,3}){3}|::1")
_DEFAULT_PORTS = {"http": 80, "https": 443}


class BadStoreUrl(WrongUse):
    """An address that names no store."""


@dataclass(frozen=True)
class StoreAddress:
    """`url` is the server's, without user and password; `repository` is OWNER/NAME; `authority` the host as hosts are
    compared."""

    url: str
    repository: str
    authority: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)


def parse_store_address(text: str) -> StoreAddress:
    """Read [lepton::]http(s)://[USER[:PASSWORD]@]HOST[:PORT][/PREFIX]/OWNER/REPO[.git], or lepton:// for https. Raises
    BadStoreUrl."""
    address = text.removeprefix("lepton::")
    if address.startswith("lepton://"):
        address = "https" + address.removeprefix("lepton")
    parts = _split(address)
    shown = without_user(address)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or parts.query or parts.fragment:
        raise BadStoreUrl(f"{shown!r} is not the address of a store", FORM)
    prefix, owner, name = _path_parts(parts.path)
    if not _NAME.fullmatch(owner) or not _NAME.fullmatch(name):
        raise BadStoreUrl(f"{shown!r} names no repository OWNER/REPO", FORM)
    url = f"{parts.scheme}://{_host_and_port(parts, _DEFAULT_PORTS[parts.scheme])}{prefix}"
    user = unquote(parts.username) if parts.username else None
    password = unquote(parts.password) if parts.password else None
    return StoreAddress(url, f"{owner}/{name}", normal_authority(url), user, password)


def normal_authority(text: str) -> str:
    """HOST, HOST:PORT or a URL as hosts are compared: lower case, the port only where it is not 443. Raises BadStoreUrl."""
    parts = _split(text.removeprefix("lepton::") if "://" in text else f"https://{text}")
    if not parts.hostname or not re.fullmatch(r"[\w.:%-]+", parts.hostname):
        raise BadStoreUrl(f"{text!r} is no host", "Write HOST, or HOST:PORT where the port is not 443.")
    return _host_and_port(parts, 443)


def is_private(url: str) -> bool:
    """Whether a token may go to this URL at all: not in the clear over a network."""
    parts = _split(url)
    return parts.scheme == "https" or bool(_LOOPBACK.fullmatch(parts.hostname or ""))


def names_host(rule: str, authority: str) -> bool:
    """Whether what a user wrote, HOST or HOST:PORT, means this host. HOST alone means it at any port."""
    wanted = normal_authority(rule)
    return wanted == authority or wanted == re.sub(r":\d+$", "", authority)


def authority_of_remote(url: str) -> str | None:
    """The host of a git remote; that of ssh counts as the same host's https. None for a folder, and for git://, which proves
    no host."""
    address = url.removeprefix("lepton::")
    parts = _split(address)
    if parts.scheme in ("http", "https", "lepton") and parts.hostname:
        return normal_authority(address)
    if parts.scheme in ("ssh", "git+ssh", "ssh+git") and parts.hostname:
        return parts.hostname
    scp = _SCP_LIKE.match(url)
    return scp[1].lower() if scp else None


def without_user(address: str) -> str:
    """An address without user and password, fit to be shown."""
    scheme, mark, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{path}" if mark else address


def git_folder(url: str, base: Path) -> Path | None:
    """The common git directory of the repository that a path (relative to `base`) or a file:// URL names; None if it names
    none."""
    if "://" in url and not url.startswith("file://"):
        return None
    path = base / (unquote(urlsplit(url).path) if url.startswith("file://") else url)
    beside = path.with_name(path.name + ".git") if path.name else path
    for candidate in (path / ".git", path, beside / ".git", beside):  # git's own order
        folder = _follow(candidate)
        if (folder / "objects").is_dir() and (folder / "HEAD").is_file():
            return folder.resolve()
    return None


def _follow(folder: Path) -> Path:
    """The git directory behind a .git file (a worktree's or a submodule's) and, from a worktree's, the common one."""
    if folder.is_file() and (text := folder.read_bytes()[:4096]).startswith(b"gitdir: "):
        folder = folder.parent / text[8:].decode("utf-8", "surrogateescape").strip()
    common = folder / "commondir"
    return folder / common.read_text("utf-8").strip() if common.is_file() else folder


def _split(address: str) -> SplitResult:
    try:
        parts = urlsplit(address)
        _ = parts.port  # reading it checks it
    except ValueError as error:
        raise BadStoreUrl(f"{without_user(address)!r} is no address: {error}", FORM) from error
    return parts


def _path_parts(path: str) -> tuple[str, str, str]:
    prefix, _, name = path.rstrip("/").removesuffix(".git").rpartition("/")
    prefix, _, owner = prefix.rpartition("/")
    return prefix, owner, name


def _host_and_port(parts: SplitResult, default: int) -> str:
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 443)
    return host if port == default else f"{host}:{port}"
