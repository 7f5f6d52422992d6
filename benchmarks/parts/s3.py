"""Uploads and downloads over S3, directly and through the server, beside a plain boto3 transfer of the same encoded bytes in the same run.

Against Ceph where GIT_LEPTON_S3_CEPH names the program that starts it, else against moto, which says little about speed.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.bench import Bench, Result, megabytes, table
from tests.support.backends import Place
from tests.support.running_server import RunningServer
from tests.support.s3_servers import CEPH, S3Server, running_ceph, running_moto

_CLIENTS = {1: 512 * 1024 * 1024, 8: 64 * 1024 * 1024}  # and the raw bytes of each one's model
_ROUNDS = 2
# What a share of boto3's throughput each way should reach at least.
_TARGETS = {
    "upload, direct, until stored": 0.8,
    "upload, direct, until visible": 0.4,
    "download, direct": 0.8,
    "upload, through the server, until stored": 0.5,
    "upload, through the server, until visible": 0.0,
    "download, through the server": 0.5,
}


def measure(bench: Bench) -> Result:
    folder = bench.place("s3")
    running = running_ceph if CEPH else running_moto
    result: Result = {"server": "Ceph" if CEPH else "moto", "clients": {}}
    with running(folder / "storage") as s3:
        for count, size in _CLIENTS.items():
            bench.say(f"s3: {count} clients get ready")
            with _clients(folder, s3, count, size) as clients:
                rounds = [_round(bench, folder / "server", s3, clients) for _ in range(max(bench.rounds, _ROUNDS))]
                result["clients"][str(count)] = {name: [found[name] for found in rounds] for name in rounds[0]}
    return result


def report(result: Result) -> str:
    rows = []
    for count, found in result["clients"].items():
        for what, target in _TARGETS.items():
            plain = "boto3 upload" if what.startswith("upload") else "boto3 download"
            ratios = [ours / theirs for ours, theirs in zip(found[what], found[plain], strict=True)]
            spread = f"{min(ratios):.2f} - {max(ratios):.2f}"
            speeds = [megabytes(median(found[name])) for name in (plain, what)]
            rows.append([count, what, *speeds, f"{median(ratios):.2f}", spread, f"{target:.1f}" if target else "-"])
    head = ["clients", "what", "boto3 MB/s", "git-lepton MB/s", "ratio", "from - to", "at least"]
    return f"Storage: {result['server']}, on the same machine.\n\n{table(head, rows)}"


@dataclass
class _Client:
    """One client's process."""

    process: subprocess.Popen[str]

    def tell(self, *words: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(" ".join(words) + "\n")
        self.process.stdin.flush()

    def answer(self) -> dict[str, float]:
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, "a client of the benchmark ended"
        found: dict[str, float] = json.loads(line)
        return found


@contextmanager
def _clients(folder: Path, s3: S3Server, count: int, size: int) -> Iterator[Sequence[_Client]]:
    environment = os.environ | s3.environment()
    with ExitStack() as stack:
        clients = []
        for number in range(count):
            command = [sys.executable, "-m", "benchmarks.s3_client", str(folder / f"client{number}"), str(number), str(size)]
            process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            clients.append(_Client(stack.enter_context(process)))
            stack.callback(process.kill)
        for client in clients:
            client.answer()
        yield clients


def _round(bench: Bench, folder: Path, s3: S3Server, clients: Sequence[_Client]) -> dict[str, float]:
    """Bytes per second of each way, all on a new server and a new bucket."""
    found: dict[str, float] = {}
    for way in ("auto", "never"):
        bucket = s3.make_bucket()
        keys = [secrets.token_hex(8) for _ in clients]
        found |= _compared(clients, found, "boto3 upload", [("boto-put", s3.endpoint, bucket, key) for key in keys])
        found |= _compared(clients, found, "boto3 download", [("boto-get", s3.endpoint, bucket, key) for key in keys])
        place = Place(storage=f"s3://{bucket}/packs", s3_endpoint=s3.endpoint, environment=s3.environment())
        home = folder / secrets.token_hex(4)
        home.mkdir(parents=True)
        with RunningServer(home, ["--s3-direct", way], place=place) as server:
            names = [(server.url, server.admin_token, f"admin/m{number}") for number in range(len(clients))]
            words = "direct" if way == "auto" else "through the server"
            bench.say(f"s3: {len(clients)} clients, {words}")
            sent = _all(clients, [("put", *name) for name in names])
            found[f"upload, {words}, until stored"] = _speed(sent, "stored")
            found[f"upload, {words}, until visible"] = _speed(sent, "ended")
            found[f"download, {words}"] = _speed(_all(clients, [("get", *name) for name in names]), "ended")
        s3.remove_bucket(bucket)
    return found


def _compared(clients: Sequence[_Client], before: dict[str, float], name: str, work: Sequence[Sequence[str]]) -> dict[str, float]:
    """boto3's speed; of two measurements in a round the better one counts."""
    return {name: max(before.get(name, 0.0), _speed(_all(clients, work), "ended"))}


def _all(clients: Sequence[_Client], work: Sequence[Sequence[str]]) -> list[dict[str, float]]:
    for client, words in zip(clients, work, strict=True):
        client.tell(*words)
    return [client.answer() for client in clients]


def _speed(answers: Sequence[dict[str, float]], until: str) -> float:
    """Bytes per second of all together, from when the first began until the last had ended."""
    seconds = max(answer[until] for answer in answers) - min(answer["began"] for answer in answers)
    return sum(answer["bytes"] for answer in answers) / seconds
