"""Options of `lepton-server serve` about the world outside: its address there, TLS, proxies, limits, and what it tells of itself."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from git_lepton.errors import WrongUse
from lepton_server.commands.values import how_many
from lepton_server.settings import ServerSettings
from lepton_server.watching.logs import FORMS, LEVELS

_METRICS_TOKEN = "GIT_LEPTON_SERVER_METRICS_TOKEN"  # noqa: S105 (a variable's name)


def exposure_options(serve: argparse.ArgumentParser) -> None:
    outside = serve.add_argument_group("how clients reach it")
    outside.add_argument(
        "--public-url", default="", metavar="URL", help="https://HOST or https://HOST/PREFIX, where a proxy stands before it"
    )
    outside.add_argument(
        "--trusted-proxy",
        action="append",
        default=[],
        metavar="ADDRESS",
        help="of a proxy (or a network, 10.0.0.0/8) whose X-Forwarded-For is believed; may be given again (default: nobody's is)",
    )
    outside.add_argument("--tls-certificate", type=Path, metavar="FILE", help="PEM, with the chain: serve https without a proxy")
    outside.add_argument("--tls-key", type=Path, metavar="FILE", help="PEM, without a passphrase")
    limits = serve.add_argument_group("limits (0: none)")
    limits.add_argument(
        "--requests-per-minute",
        type=how_many,
        default=6000,
        metavar="COUNT",
        help="of one token, or one address without one; packs do not count (default: 6000)",
    )
    limits.add_argument(
        "--failed-logins-per-minute", type=how_many, default=100, metavar="COUNT", help="from one address (default: 100)"
    )
    watched = serve.add_argument_group("what it tells")
    watched.add_argument("--log-format", choices=FORMS, default="text", help="of lines on standard error (default: text)")
    watched.add_argument(
        "--log-level", choices=LEVELS, default="warning", help="info: a line for each request (default: warning)"
    )
    watched.add_argument(
        "--metrics-token",
        default=os.environ.get(_METRICS_TOKEN, ""),
        metavar="TEXT",
        help=f"who sends it as Bearer may read /metrics, beside admins (better in the environment: {_METRICS_TOKEN})",
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
        log_form=options.log_format,
        log_level=options.log_level,
        metrics_token=options.metrics_token,
    )


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
