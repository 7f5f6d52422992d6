"""Addresses of stores and git remotes, read without asking anybody: what they name, and which host stands behind them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from git_lepton.errors import WrongUse

FORM = "A store's address is https://HOST/OWNER/REPO."
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_PREFIX = re.compile(r"(/[A-Za-z0-9._~%+=@:,-]+)*")  # nothing that a terminal or a shell would take for more than itself
_SCP_LIKE = re.compile(r"(?:[^@/]+@)?(\[[^\]]+\]|[^:/\[]{2,}):(?![:/]{2})")  # one letter before the colon is a Windows drive
_HALF_A_USER = re.compile(r"[^@\[\]]*:(?!\d*$)[^@]*")  # a colon, and no port after it
# Not *.localhost: whether that is this machine, the machine's resolver decides.
_LOOPBACK = re.compile(r"localhost|127(\.(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)){3}|::1")
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

    @property
    def name(self) -> str:
        """HOST[:PORT][/PREFIX]/OWNER/NAME: how an approval calls this store, and no other; with http:// before it where that says more."""
        return f"{_approved_host(self.url)}{urlsplit(self.url).path}/{self.repository}"


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
    if not (_NAME.fullmatch(owner) and _NAME.fullmatch(name) and _PREFIX.fullmatch(prefix)):
        raise BadStoreUrl(f"{shown!r} names no repository OWNER/REPO", FORM)
    url = f"{parts.scheme}://{_host_and_port(parts, _DEFAULT_PORTS[parts.scheme])}{prefix}"
    user = unquote(parts.username) if parts.username else None
    password = unquote(parts.password) if parts.password else None
    return StoreAddress(url, f"{owner}/{name}", normal_authority(url), user, password)


def normal_authority(text: str) -> str:
    """HOST, HOST:PORT or a URL as hosts are compared: lower case, the port only where it is not 443 of https. Raises BadStoreUrl."""
    parts = _split(text.removeprefix("lepton::") if "://" in text else f"https://{text}")
    if not parts.hostname or not re.fullmatch(r"[\w.:%-]+", parts.hostname):
        raise BadStoreUrl(f"{without_user(text)!r} is no host", "Write HOST, or HOST:PORT where the port is not 443.")
    return _host_and_port(parts, None if parts.scheme == "http" else 443)


def approved_name(text: str) -> str:
    """How an approval is written down: HOST[:PORT], or HOST[:PORT]/OWNER/NAME for one store. Either may be given as a URL. It means
    https, and plain http on this machine only; any other plain http is kept with http:// before it. Raises BadStoreUrl."""
    address = text.removeprefix("lepton::")
    address = address if "://" in address else f"https://{address}"
    return parse_store_address(address).name if _split(address).path.strip("/") else _approved_host(address)


def names_store(approved: str) -> bool:
    """Whether an approval (see approved_name) is for one store, not for all of a host."""
    return "/" in approved.removeprefix("http://")


def approves_host(approved: str, store: StoreAddress) -> bool:
    """Whether this approval of a host (see approved_name) is one of the store's own, by the way that the store is reached."""
    in_clear = approved.startswith("http://")
    return in_clear == _approved_host(store.url).startswith("http://") and names_host(approved, store.authority)


def is_private(url: str) -> bool:
    """Whether a token may go to this URL at all: by https, or by http within this machine, never in the clear over a network."""
    parts = _split(url)
    within = parts.scheme == "http" and _LOOPBACK.fullmatch(parts.hostname or "") is not None
    return within or (parts.scheme == "https" and bool(parts.hostname))


def names_host(rule: str, authority: str) -> bool:
    """Whether what a user wrote, HOST or HOST:PORT, means this host. HOST alone means it at any port."""
    wanted = normal_authority(rule)
    return wanted == authority or wanted == re.sub(r":\d+$", "", authority)


def server_of_remote(url: str) -> str | None:
    """The server that stands on a git remote's own host, as StoreAddress.url has it; that of ssh is the same host's https. None for a
    folder, and for git://, which proves no host."""
    address = url.removeprefix("lepton::")
    parts = _split(address)
    if parts.scheme in ("http", "https", "lepton") and parts.hostname:
        scheme = "http" if parts.scheme == "http" else "https"
        return f"{scheme}://{_host_and_port(parts, _DEFAULT_PORTS[scheme])}"
    if parts.scheme in ("ssh", "git+ssh", "ssh+git") and parts.hostname:
        return f"https://{_host(parts)}"
    scp = _SCP_LIKE.match(address)
    return f"https://{scp[1].lower()}" if scp else None


def authority_of_remote(url: str) -> str | None:
    """The host of a git remote, as hosts are compared; None where it proves none."""
    server = server_of_remote(url)
    return normal_authority(server) if server else None


def store_of_remote(url: str) -> str | None:
    """The address, with its scheme, of the store that has a git remote's own name on its own host; None where the remote proves no
    host."""
    server = server_of_remote(url)
    if server is None:
        return None
    address = url.removeprefix("lepton::")
    scp = _SCP_LIKE.match(address)
    path = _split(address).path if "://" in address or scp is None else address[scp.end() :]
    return f"{server}/{path.strip('/').removesuffix('.git')}"


def without_user(address: str) -> str:
    """An address without user and password, fit to be shown."""
    scheme, mark, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    if _HALF_A_USER.fullmatch(host) and "@" in path:  # a password with a slash in it
        return f"{scheme}{mark}{path.rpartition('@')[2]}"
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
        # without what the error says: what stands where a port should may be half of a password
        raise BadStoreUrl(f"{without_user(address)!r} is no address", FORM) from error
    return parts


def _path_parts(path: str) -> tuple[str, str, str]:
    prefix, _, name = path.rstrip("/").removesuffix(".git").rpartition("/")
    prefix, _, owner = prefix.rpartition("/")
    return prefix, owner, name


def _approved_host(url: str) -> str:
    """The host of a URL as approvals call it. On port 443 the http:// stays everywhere: without it that is the name of https."""
    authority, parts = normal_authority(url), _split(url)
    if parts.scheme != "http" or (is_private(url) and parts.port != 443):
        return authority
    return f"http://{_host_and_port(parts, 80)}"


def _host_and_port(parts: SplitResult, default: int | None) -> str:
    port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 443)
    return _host(parts) if port == default else f"{_host(parts)}:{port}"


def _host(parts: SplitResult) -> str:
    return f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
