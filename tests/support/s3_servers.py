"""S3 servers on this machine, each in a process of its own: moto's, and a real one (Ceph's gateway) where its script is there."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

CEPH = os.environ.get("GIT_LEPTON_S3_CEPH", "")
"""The program that starts and stops Ceph (`start FOLDER PORT`, `stop FOLDER`); "" where there is none."""

_REGION = "us-east-1"
_SHARED = "GIT_LEPTON_S3_CEPH_SHARED"
_shared = os.environ.get(_SHARED, "")  # what the program told of the one that this process shares with others
_CEPH_SECONDS = 60
_TRIES = 6
_GAVE_UP = "unable to update_crush_device_class"


@dataclass(frozen=True)
class S3Server:
    """Where it answers, and its keys."""

    endpoint: str
    access_key: str
    secret_key: str

    def environment(self) -> dict[str, str]:
        """Variables for a process that is to use it."""
        keys = {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key}
        return {**keys, "AWS_DEFAULT_REGION": _REGION, "AWS_EC2_METADATA_DISABLED": "true"}

    def client(self, endpoint: str = "") -> Any:
        """A plain client of it, by way of another address if one is given."""
        import boto3  # takes long to load
        from botocore.config import Config

        return boto3.client(
            "s3",
            endpoint_url=endpoint or self.endpoint,
            region_name=_REGION,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            config=Config(
                signature_version="s3v4", s3={"addressing_style": "path"}, request_checksum_calculation="when_required"
            ),
        )

    def make_bucket(self) -> str:
        """A new bucket; its name."""
        name = f"lepton-{secrets.token_hex(6)}"
        self.client().create_bucket(Bucket=name)
        return name

    def remove_bucket(self, name: str) -> None:
        """The bucket with all that is in it."""
        client = self.client()
        for key in self.keys(name):
            client.delete_object(Bucket=name, Key=key)
        client.delete_bucket(Bucket=name)

    def keys(self, bucket: str) -> dict[str, int]:
        """All that is in a bucket, with its bytes."""
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return {item["Key"]: item["Size"] for page in pages for item in page.get("Contents", [])}


@contextmanager
def running_moto(folder: Path) -> Iterator[S3Server]:
    """Moto, with signed URLs checked as a real server does; its log lies in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "moto.log").open("ab") as log:
        command = [sys.executable, "-m", "tests.support.moto_program"]
        keys = {"MOTO_ACCESS_KEY": "moto-key", "MOTO_SECRET_KEY": "moto-secret"}
        environment = os.environ | keys | {"MOTO_S3_ALLOW_CROSSACCOUNT_ACCESS": "true"}
        root = Path(__file__).parents[2]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, env=environment, cwd=root, text=True) as process:
            try:
                assert process.stdout is not None
                port = process.stdout.readline().strip()
                assert port, f"moto did not start:\n{(folder / 'moto.log').read_text()}"
                yield S3Server(f"http://127.0.0.1:{port}", keys["MOTO_ACCESS_KEY"], keys["MOTO_SECRET_KEY"])
            finally:
                process.kill()


def _two_free_ports() -> int:
    """The first of two in a row, for the gateway and for what it asks, below those that programs are given when they connect: Ceph
    takes them seconds later."""
    while True:
        port = 20_000 + 2 * secrets.randbelow(6_000)
        with socket.socket() as first, socket.socket() as second, suppress(OSError):
            first.bind(("127.0.0.1", port))
            second.bind(("127.0.0.1", port + 1))
            return port


@contextmanager
def running_ceph(folder: Path) -> Iterator[S3Server]:
    """Ceph, which takes some 15 s to start; all that it stores goes with it. The one that test processes share, where there is one."""
    if _shared:
        yield _server(_shared)
        return
    with _started_ceph(folder) as told:
        yield _server(told)


@contextmanager
def sharing_ceph() -> Iterator[None]:
    """One Ceph for this process and those that it starts meanwhile. Started before there is other work, it starts soonest."""
    global _shared
    with TemporaryDirectory(prefix="lepton-ceph-") as folder, _started_ceph(Path(folder)) as told:
        _shared = os.environ[_SHARED] = told
        try:
            yield
        finally:
            del os.environ[_SHARED]
            _shared = ""


def _server(told: str) -> S3Server:
    pairs = dict(pair.partition("=")[::2] for pair in told.split())
    return S3Server(pairs["endpoint"], pairs["access_key"], pairs["secret_key"])


@contextmanager
def _started_ceph(folder: Path) -> Iterator[str]:
    """What its program tells. On a busy machine Ceph's storage daemon may ask its monitor too early and end, and all others wait for it:
    then all is started again."""
    try:
        told = next(filter(None, (_start(folder) for _ in range(_TRIES))), "")
        assert told, f"Ceph did not start, in {_TRIES} tries of at most {_CEPH_SECONDS} seconds"
        yield told
    finally:
        subprocess.run([CEPH, "stop", str(folder)], check=False)


def _start(folder: Path) -> str:
    """What the program tells; nothing where Ceph hangs."""
    command = [CEPH, "start", str(folder), str(_two_free_ports())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True) as started:
        for _ in range(_CEPH_SECONDS):
            with suppress(subprocess.TimeoutExpired):
                said, trouble = started.communicate(timeout=1)
                assert started.returncode == 0, f"Ceph did not start:\n{trouble}"
                return said.splitlines()[-1]
            if _GAVE_UP in _read(folder / "log" / "osd.0.log"):
                break
        os.killpg(started.pid, signal.SIGKILL)
    subprocess.run([CEPH, "stop", str(folder)], check=False)
    return ""


def _read(file: Path) -> str:
    return file.read_text(errors="replace") if file.exists() else ""
