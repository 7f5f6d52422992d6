"""The location of a repository's weights, which rule said so, and whether that may be believed.

The order: git config lepton.url, the git remote's own store, store.url in HEAD's lepton.toml, a remote that is a folder. A
store that only the tree names comes from whoever wrote the commit: unless it is the git remote's own OWNER/NAME on the remote's
own host, it gets neither weights nor token until the user approves it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from git_lepton.errors import WrongUse
from git_lepton.settings.addresses import (
    FORM,
    BadStoreUrl,
    git_folder,
    is_private,
    names_host,
    parse_store_address,
    server_of_remote,
    store_of_remote,
    without_user,
)
from git_lepton.settings.approval import is_approved
from git_lepton.settings.lepton_toml import store_url

if TYPE_CHECKING:
    from git_lepton.settings.addresses import StoreAddress
    from git_lepton.settings.values import Values


class NoStore(WrongUse):
    """Nothing says where this repository's weights are."""


class StoreNotTrusted(WrongUse):
    """The tree names a store that the user has not approved. `location` is where it points, `name` how an approval calls it."""

    def __init__(self, location: StoreLocation, name: str) -> None:
        super().__init__(
            f"lepton.toml sends weights to {name}, which is neither the git remote's own store nor approved by you",
            f"If that is right: git lepton trust {name}",
        )
        self.location = location
        self.name = name


@dataclass(frozen=True)
class StoreLocation:
    """One repository in one store.

    `kind` is "server" (`url` is the server's address without user and password, `repository` OWNER/NAME) or "folder" (`folder` is
    the other repository's git directory). `origin` says which rule decided: config, remote, submodule (a remote that a superproject's
    tree named) or tree. `authority` is the host, with its port unless that is 443. `token_allowed`: GIT_LEPTON_TOKEN may go there.
    """

    url: str
    repository: str
    origin: str
    trusted: bool = True
    kind: str = "server"
    folder: Path | None = None
    remote: str | None = None
    authority: str = ""
    token_allowed: bool = False
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return str(self.folder) if self.kind == "folder" else f"{self.url}/{self.repository}"


def store_location(settings: Values, remote: str | None = None, *, push: bool = False) -> StoreLocation:
    """The store that holds, by the order above. Raises NoStore, StoreNotTrusted, BadStoreUrl, BadLeptonToml."""
    name = remote_name(settings, remote, push=push)
    url = _url_of(settings, name, push=push) if name else None
    if configured := settings.value("url"):
        return _locate(settings, configured, "config", name, url)
    if url and url.startswith(("lepton::", "lepton://")):
        return _locate(settings, url, settings.origin_of_remotes, name, url)
    if settings.git and (written := store_url(settings.git)):
        return _locate(settings, written, "tree", name, url, push=push)
    if url and (folder := git_folder(url, _base(settings))):
        return StoreLocation(folder.as_uri(), "", settings.origin_of_remotes, kind="folder", folder=folder, remote=name)
    raise NoStore(
        "nothing says where this repository's weights are stored"
        + (f"; {without_user(name or '')} is an ordinary git remote" if url else ""),
        "git config lepton.url https://HOST/OWNER/REPO, or use a remote lepton::https://HOST/OWNER/REPO",
    )


def location_of_url(settings: Values, url: str) -> StoreLocation:
    """The store that this URL, which somebody typed or git handed over, names by itself. Raises BadStoreUrl."""
    return _locate(settings, url, settings.origin_of_remotes, None, url)


def remote_name(settings: Values, given: str | None, *, push: bool) -> str | None:
    """The remote (or URL) to use: the given one, the current branch's, origin, the only one, or None."""
    if given:
        return given
    branch = settings.git.branch() if settings.git else None
    keys = [f"branch.{branch}.pushremote", "remote.pushdefault"] if push else []
    for key in [*keys, f"branch.{branch}.remote"]:
        if name := settings.config.last(key):
            return name
    names = settings.config.subsections("remote")
    return "origin" if "origin" in names else names[0] if len(names) == 1 else None


def _locate(
    settings: Values, text: str, origin: str, remote: str | None, remote_url: str | None, *, push: bool = False
) -> StoreLocation:
    address = settings.rewrite(settings.rewrite(text).removeprefix("lepton::"))
    if "://" not in address or address.startswith("file://"):
        return _folder_location(settings, address, origin, remote)
    store = parse_store_address(address)
    beside_remote = remote_url is not None and server_of_remote(remote_url) == server_of_remote(store.url)
    token_host = settings.token_host
    is_token_host = token_host is not None and names_host(token_host, store.authority)
    # Approving a store lets weights go there. A token goes only where its owner meant it to: to GIT_LEPTON_HOST or a remote they typed.
    typed = origin in ("config", "remote") or (beside_remote and settings.origin_of_remotes == "remote")
    location = StoreLocation(
        store.url,
        store.repository,
        origin,
        trusted=origin != "tree" or _may_be_named(settings, store, remote_url, read_only=is_token_host and not push),
        remote=remote,
        authority=store.authority,
        token_allowed=is_private(store.url) and (is_token_host if token_host else typed),
        username=None if origin == "tree" else store.username,
        password=None if origin == "tree" else store.password,
    )
    if not location.trusted:
        raise StoreNotTrusted(location, store.name)
    return location


def _may_be_named(settings: Values, store: StoreAddress, remote_url: str | None, *, read_only: bool) -> bool:
    """Whether a tree may name this store. On a host alone nobody's weights are at home: whoever opened a pull request may have a
    repository of their own there; nor by a way that whoever is between can read, which the user did not choose. From the host of
    GIT_LEPTON_HOST the user's programs may read (`read_only`), whatever it is."""
    own = remote_url is not None and store_of_remote(remote_url) == f"{store.url}/{store.repository}"
    return own or (read_only and is_private(store.url)) or is_approved(settings, store)


def _folder_location(settings: Values, address: str, origin: str, remote: str | None) -> StoreLocation:
    if origin == "tree":
        raise BadStoreUrl(
            "lepton.toml names a folder as store, and a tree may not send weights to folders", "git config lepton.url FOLDER"
        )
    folder = git_folder(address, _base(settings))
    if folder is None:
        raise BadStoreUrl(f"{address!r} is neither a store's address nor a folder with a git repository", FORM)
    return StoreLocation(folder.as_uri(), "", origin, kind="folder", folder=folder, remote=remote)


def _url_of(settings: Values, name: str, *, push: bool) -> str:
    """The URL of a remote, or the name itself where it is a URL or a path."""
    config = settings.config
    if push and (url := config.last(f"remote.{name}.pushurl")):
        return settings.rewrite(url)
    return settings.rewrite(config.last(f"remote.{name}.url") or name, push=push)


def _base(settings: Values) -> Path:
    """What a relative path in git's config is relative to."""
    return (settings.git.top_level or settings.git.git_dir) if settings.git else Path()
