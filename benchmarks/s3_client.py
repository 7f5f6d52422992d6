"""`python -m benchmarks.s3_client FOLDER SEED BYTES`: one client of the S3 benchmark, in a process of its own.

It makes a model of its own, then does what it is told, a line at a time, and answers each with a line of JSON, times on the system's clock:

    put URL TOKEN NAME      a push's upload; when the last byte was stored, and when it was visible
    get URL TOKEN NAME      a fetch into an empty store
    boto-put ENDPOINT BUCKET KEY, boto-get ENDPOINT BUCKET KEY      the same encoded bytes by boto3, as it does by default
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path

import boto3
import numpy
from botocore.config import Config

from git_lepton.format.coding.encoded import RELEASED
from git_lepton.format.pointer import Pointer, parse_pointer
from git_lepton.store.local_store import LocalStore
from git_lepton.transfer.download import download
from git_lepton.transfer.http.connection import Connection
from git_lepton.transfer.http.credentials import CredentialChain
from git_lepton.transfer.http.hosts import host_of
from git_lepton.transfer.progress import SILENT
from git_lepton.transfer.remote_store import RemoteStore
from git_lepton.transfer.upload import upload
from git_lepton.workflow.clean import clean

Answer = dict[str, float]


class Watch:
    """A Progress that knows when the last byte was stored."""

    stored = 0.0

    def start(self, total: int) -> None: ...
    def advance(self, count: int) -> None: ...
    def note(self, text: str) -> None: ...

    def finish(self) -> None:
        self.stored = time.time()


class Client:
    def __init__(self, folder: Path, seed: int, size: int) -> None:
        self.folder = folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.pointer = _model(folder, seed, size)
        self.encoded = folder / "encoded"
        with self.encoded.open("wb") as whole:
            for file in sorted(path for path in (folder / "here").rglob("*") if path.is_file()):
                whole.write(file.read_bytes())

    def put(self, url: str, token: str, name: str) -> Answer:
        watch = Watch()
        with LocalStore(self.folder / "here") as store:
            began = time.time()
            sent = upload(store, _remote(url, token, name), [self.pointer], watch)
            return {"began": began, "stored": watch.stored, "ended": time.time(), "bytes": sent.bytes_sent}

    def get(self, url: str, token: str, name: str) -> Answer:
        shutil.rmtree(self.folder / "there", ignore_errors=True)
        with LocalStore(self.folder / "there") as store:
            began = time.time()
            brought = download(store, _remote(url, token, name), [self.pointer], SILENT)
            return {"began": began, "ended": time.time(), "bytes": brought.bytes_received}

    def boto_put(self, endpoint: str, bucket: str, key: str) -> Answer:
        client, began = _plain(endpoint), time.time()
        client.upload_file(str(self.encoded), bucket, key)
        return {"began": began, "ended": time.time(), "bytes": self.encoded.stat().st_size}

    def boto_get(self, endpoint: str, bucket: str, key: str) -> Answer:
        client, began = _plain(endpoint), time.time()
        client.download_file(bucket, key, str(self.folder / "fetched"))
        return {"began": began, "ended": time.time(), "bytes": self.encoded.stat().st_size}


def _remote(url: str, token: str, name: str) -> RemoteStore:
    chain = CredentialChain(token=token, token_host=host_of(url))
    return RemoteStore(Connection(url, credentials=chain, codecs=sorted(RELEASED)), name)


def _plain(endpoint: str) -> object:
    config = Config(request_checksum_calculation="when_required", response_checksum_validation="when_required")
    return boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", config=config)


def _model(folder: Path, seed: int, size: int) -> Pointer:
    """Weights in bf16 as a model has them, kept in a store as `git add` would."""
    random = numpy.random.default_rng(seed)
    path = folder / "model.safetensors"
    rows, columns = size // 2 // 4096, 4096
    entry = {"dtype": "BF16", "shape": [rows, columns], "data_offsets": [0, rows * columns * 2]}
    head = json.dumps({"weight": entry}).encode()
    with path.open("wb") as file:
        file.write(len(head).to_bytes(8, "little") + head)
        for start in range(0, rows, 1024):
            values = random.standard_normal((min(1024, rows - start), columns), dtype=numpy.float32) * 0.02
            file.write((values.view(numpy.uint32) >> 16).astype("<u2").tobytes())
    with path.open("rb", buffering=0) as source, LocalStore(folder / "here") as store:
        pointer = parse_pointer(clean(source, store, RELEASED))
    path.unlink()
    return pointer


def main() -> None:
    client = Client(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
    work = {"put": client.put, "get": client.get, "boto-put": client.boto_put, "boto-get": client.boto_get}
    print(json.dumps({}), flush=True)
    for line in sys.stdin:
        what, *arguments = line.split()
        print(json.dumps(work[what](*arguments)), flush=True)


if __name__ == "__main__":
    main()
