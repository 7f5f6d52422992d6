"""A real nginx before a server, with the settings that docs/operations.md gives; tests that want one are skipped where there is none."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
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


def documented_settings() -> str:
    """The block for nginx in the operator's page."""
    found = re.search(r"```nginx\n(.*?)```", _OPERATIONS.read_text("utf-8"), re.DOTALL)
    assert found, "docs/operations.md has no settings for nginx"
    return found[1]


@contextmanager
def running_nginx(folder: Path, upstream: str, prefix: str, certificates: Certificates, port: int) -> Iterator[None]:
    """nginx on this port of localhost, with the documented settings, before the server at `upstream` (HOST:PORT)."""
    program = _program()
    settings = documented_settings()
    for documented, ours in (
        ("127.0.0.1:8417", upstream),
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("/etc/ssl/lepton.pem", str(certificates.certificate)),
        ("/etc/ssl/lepton.key", str(certificates.key)),
        ("location / {", f"location {prefix}/ {{"),
    ):
        assert documented in settings, documented
        settings = settings.replace(documented, ours)
    (folder / "temp").mkdir(parents=True)
    (folder / "nginx.conf").write_text(_FRAME.format(settings=settings))
    with (folder / "nginx.log").open("wb") as log:
        process = subprocess.Popen([program, "-p", str(folder), "-c", "nginx.conf"], stdout=log, stderr=log)
    try:
        _wait_for(port, process, folder / "nginx.log")
        yield
    finally:
        process.terminate()
        process.wait(20)


def would_start_with(folder: Path, settings: str) -> None:
    """nginx itself would start with this file of settings."""
    (folder / "nginx.conf").write_text(settings)
    done = subprocess.run([_program(), "-t", "-p", str(folder), "-c", "nginx.conf"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _program() -> str:
    found = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/opt/homebrew/bin")
    if found is None:
        pytest.skip("there is no nginx on this machine")
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
    raise AssertionError(f"nginx did not start:\n{log.read_text()}")
