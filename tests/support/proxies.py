"""A real nginx, HAProxy or Caddy before a server, with the settings that docs/operations.md gives; tests that want one are skipped where
it is not installed."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.certificates import Certificates

_OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"
_FRAME = """daemon off;
pid nginx.pid;
error_log stderr warn;
events {{ worker_connections 128; }}
http {{
    access_log off;
    client_body_temp_path temp; proxy_temp_path temp; fastcgi_temp_path temp; uwsgi_temp_path temp; scgi_temp_path temp;
{settings}
}}
"""


def documented_settings(program: str) -> str:
    """The block for this program in the operator's page."""
    found = re.search(rf"```{program}\n(.*?)```", _OPERATIONS.read_text("utf-8"), re.DOTALL)
    assert found, f"docs/operations.md has no settings for {program}"
    return found[1]


@contextmanager
def running_nginx(folder: Path, upstream: str, prefix: str, certificates: Certificates, port: int) -> Iterator[None]:
    """nginx on this port of localhost, with the documented settings, before the server at `upstream` (HOST:PORT)."""
    settings = _settings(
        "nginx",
        {
            "127.0.0.1:8417": upstream,
            "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
            "/etc/ssl/lepton.pem": str(certificates.certificate),
            "/etc/ssl/lepton.key": str(certificates.key),
            "location / {": f"location {prefix}/ {{",
        },
    )
    (folder / "temp").mkdir(parents=True)
    (folder / "nginx.conf").write_text(_FRAME.format(settings=settings))
    with _running([_program("nginx"), "-p", str(folder), "-c", "nginx.conf"], folder, port):
        yield


@contextmanager
def running_haproxy(folder: Path, upstream: str, certificates: Certificates, port: int) -> Iterator[None]:
    """HAProxy in the same way."""
    folder.mkdir(parents=True)
    both = folder / "both.pem"
    both.write_text(certificates.certificate.read_text() + certificates.key.read_text())
    changes = {"127.0.0.1:8417": upstream, "bind :443": f"bind 127.0.0.1:{port}", "/etc/ssl/lepton.pem": str(both)}
    (folder / "haproxy.cfg").write_text(_settings("haproxy", changes))
    with _running([_program("haproxy"), "-db", "-f", str(folder / "haproxy.cfg")], folder, port):
        yield


@contextmanager
def running_caddy(folder: Path, upstream: str, certificates: Certificates, port: int) -> Iterator[None]:
    """Caddy in the same way."""
    folder.mkdir(parents=True)
    changes = {
        "127.0.0.1:8417": upstream,
        "lepton.example.org {": f"{{\n    admin off\n    auto_https off\n}}\nhttps://localhost:{port} {{\n    bind 127.0.0.1",
        "/etc/ssl/lepton.pem": str(certificates.certificate),
        "/etc/ssl/lepton.key": str(certificates.key),
    }
    (folder / "Caddyfile").write_text(_settings("caddy", changes))
    command = [_program("caddy"), "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]
    with _running(command, folder, port):
        yield


def _settings(program: str, changes: Mapping[str, str]) -> str:
    settings = documented_settings(program)
    for documented, ours in changes.items():
        assert documented in settings, documented
        settings = settings.replace(documented, ours)
    return settings


@contextmanager
def _running(command: Sequence[str], folder: Path, port: int) -> Iterator[None]:
    log = folder / "proxy.log"
    with log.open("wb") as said:
        home = os.environ | {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
        process = subprocess.Popen(command, stdout=said, stderr=said, env=home)
    try:
        _wait_for(port, process, log)
        yield
    finally:
        process.terminate()
        process.wait(20)


def would_start_with(folder: Path, settings: str) -> None:
    """nginx itself would start with this file of settings."""
    (folder / "nginx.conf").write_text(settings)
    done = subprocess.run(
        [_program("nginx"), "-t", "-p", str(folder), "-c", "nginx.conf"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def _program(name: str) -> str:
    found = shutil.which(name, path="/usr/sbin:/usr/local/sbin:/usr/bin:/opt/homebrew/bin")
    if found is None:
        pytest.skip(f"there is no {name} on this machine")
    return found


def free_port() -> int:
    """One that nobody listened at a moment ago."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    limit = time.monotonic() + 20
    while time.monotonic() < limit and process.poll() is None:
        with socket.socket() as knock:
            if knock.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"it did not start:\n{log.read_text()}")
