"""Options of `lepton-server serve` about the world outside: its address there, TLS, proxies, limits, and what it tells of itself."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from git_lepton.errors import WrongUse
from git_lepton.format.tokens import clean_token
from lepton_server.commands.argument_types import how_many, size
from lepton_server.git_bounds import USUAL, Bounds
from lepton_server.observability.logs import FORMS, LEVELS
from lepton_server.settings import ServerSettings

_METRICS_TOKEN = "GIT_LEPTON_SERVER_METRICS_TOKEN"  # noqa: S105 (a variable's name)


def exposure_options(serve: argparse.ArgumentParser) -> None:
    outside = serve.add_argument_group("how clients reach it")
    outside.add_argument(
        "--public-url", default="", metavar="URL", help="the server's address behind a proxy: https://HOST or https://HOST/PREFIX"
    )
    outside.add_argument(
        "--trusted-proxy",
        action="append",
        default=[],
        metavar="ADDRESS",
        help="a proxy (or a network, 10.0.0.0/8) whose X-Forwarded-For is believed; may be given several times (default: none)",
    )
    outside.add_argument(
        "--tls-certificate", type=Path, metavar="FILE", help="a PEM file with the chain, to serve https without a proxy"
    )
    outside.add_argument("--tls-key", type=Path, metavar="FILE", help="the certificate's key, a PEM file without a passphrase")
    limits = serve.add_argument_group("limits (0: none)")
    limits.add_argument(
        "--requests-per-minute",
        type=how_many,
        default=6000,
        metavar="COUNT",
        help="for one token, or one address without a token; packs do not count (default: 6000)",
    )
    limits.add_argument(
        "--failed-logins-per-minute", type=how_many, default=100, metavar="COUNT", help="for one address (default: 100)"
    )
    limits.add_argument(
        "--git-memory",
        type=size,
        default=USUAL.memory,
        metavar="SIZE",
        help="how much memory one git process may allocate (default: 384m)",
    )
    limits.add_argument(
        "--git-seconds",
        type=how_many,
        default=USUAL.seconds,
        metavar="SECONDS",
        help="processor time for one git process, and time to look through a push (default: 300)",
    )
    limits.add_argument(
        "--push-paths",
        type=how_many,
        default=USUAL.paths,
        metavar="COUNT",
        help="how many paths one push may change, over all its commits (default: 1000000)",
    )
    limits.add_argument(
        "--pushes-of-one-account",
        type=how_many,
        default=2,
        metavar="COUNT",
        help="how many run at once in one process; the next ones wait (default: 2)",
    )
    limits.add_argument(
        "--pushes-at-once",
        type=how_many,
        default=32,
        metavar="COUNT",
        help="the same limit for all accounts together (default: 32)",
    )
    watched = serve.add_argument_group("what it tells")
    watched.add_argument(
        "--log-format", choices=FORMS, default="text", help="the format of lines on standard error (default: text)"
    )
    watched.add_argument(
        "--log-level", choices=LEVELS, default="warning", help="info logs a line for each request (default: warning)"
    )
    watched.add_argument(
        "--metrics-token",
        default=os.environ.get(_METRICS_TOKEN, ""),
        metavar="TEXT",
        help=f"a Bearer token that may read /metrics, as admins may (better in the environment: {_METRICS_TOKEN})",
    )


def exposed(settings: ServerSettings, options: argparse.Namespace) -> ServerSettings:
    """The settings with what these options say. Raises WrongUse."""
    _check_url(options.public_url)
    _check_tls(options.tls_certificate, options.tls_key)
    return replace(
        settings,
        public_url=options.public_url.rstrip("/"),
        trusted_proxies=tuple(options.trusted_proxy),
        tls_certificate=options.tls_certificate,
        tls_key=options.tls_key,
        requests_per_minute=options.requests_per_minute,
        failed_logins_per_minute=options.failed_logins_per_minute,
        git_bounds=Bounds(options.git_memory, options.git_seconds, options.push_paths),
        pushes_of_one_account=options.pushes_of_one_account,
        pushes_at_once=options.pushes_at_once,
        log_form=options.log_format,
        log_level=options.log_level,
        metrics_token=_clean(options.metrics_token),
    )


def _clean(token: str) -> str:
    try:
        return clean_token(token)
    except ValueError as error:
        raise WrongUse(f"the token for /metrics {error}", "It is one word, without blanks.") from error


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if url and (parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment):
        raise WrongUse(f"{url} is no address of a server", "Write --public-url https://HOST, or https://HOST/PREFIX.")


def _check_tls(certificate: Path | None, key: Path | None) -> None:
    if (certificate is None) != (key is None):
        raise WrongUse("TLS needs a certificate and its key", "Give both --tls-certificate and --tls-key.")
    for file in (certificate, key):
        if file is not None and not os.access(file, os.R_OK):
            raise WrongUse(f"{file} cannot be read", "Check the path, and that the server's account may read it.")
