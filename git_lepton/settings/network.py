"""Git's own settings for talking to a URL: proxy, certificates, extra headers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from git_lepton.settings.addresses import authority_of_remote, normal_authority
from git_lepton.settings.git_config import flag, read_for_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from git_lepton.settings.values import Values


@dataclass(frozen=True)
class HttpSettings:
    """What git would use for one URL. `proxy` is a URL, or None where none is to be used; `no_proxy` lists hosts that are reached
    without it; paths are as the user wrote them, with ~ resolved."""

    proxy: str | None = field(default=None, repr=False)  # may hold a password
    no_proxy: str = ""
    ca_file: str | None = None
    verify: bool = True
    cert: str | None = None
    key: str | None = None
    extra_headers: tuple[str, ...] = field(default=(), repr=False)  # may hold a token


def http_settings(settings: Values, url: str) -> HttpSettings:
    """The settings for a URL: GIT_SSL_* and the proxy variables of the environment, and http.* of git config by git's rules."""
    environment = settings.environment
    config = read_for_url(settings.git, "http", url) if settings.git else {}
    header = config.get("extraheader")
    verify = flag(config.get("sslverify", "true")) is not False and "GIT_SSL_NO_VERIFY" not in environment
    return HttpSettings(
        proxy=_proxy(url, _proxy_of_remote(settings, url, config.get("proxy")), environment),
        no_proxy=environment.get("no_proxy") or environment.get("NO_PROXY") or "",
        ca_file=_path(environment.get("GIT_SSL_CAINFO") or config.get("sslcainfo")),
        verify=verify,
        cert=_path(environment.get("GIT_SSL_CERT") or config.get("sslcert")),
        key=_path(environment.get("GIT_SSL_KEY") or config.get("sslkey")),
        extra_headers=(header,) if header else (),
    )


def _path(text: str | None) -> str | None:
    return str(Path(text).expanduser()) if text else None


def _proxy_of_remote(settings: Values, url: str, otherwise: str | None) -> str | None:
    """remote.NAME.proxy, as git has it before http.proxy, of a remote on this URL's host."""
    for name in settings.config.subsections("remote"):
        proxy, address = settings.config.last(f"remote.{name}.proxy"), settings.config.last(f"remote.{name}.url")
        if proxy is not None and address and authority_of_remote(settings.rewrite(address)) == normal_authority(url):
            return proxy
    return otherwise


def _proxy(url: str, configured: str | None, environment: Mapping[str, str]) -> str | None:
    """http.proxy, where an empty one means none; else the variables that curl reads. HTTP_PROXY in capitals is not among them: a
    web server's CGI programs get it from any client's Proxy header."""
    scheme = urlsplit(url).scheme
    names = [f"{scheme}_proxy", *([f"{scheme}_proxy".upper()] if scheme == "https" else []), "all_proxy", "ALL_PROXY"]
    found = configured if configured is not None else next((environment[name] for name in names if environment.get(name)), "")
    if not found:
        return None
    return found if "://" in found else f"http://{found}"
