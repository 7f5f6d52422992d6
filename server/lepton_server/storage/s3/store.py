"""Packs in a bucket of S3, or of what speaks like it (the promises are those of `object_store`).

What comes through the server lies in a file without a name until all of it is there, and goes to the bucket in one request, which S3
carries out whole or not at all. Nothing of it is left behind where a process dies.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from botocore.exceptions import ClientError

from lepton_server.settings import S3Settings, ServerSettings
from lepton_server.storage.disk import disk_errors, read_exactly, write_all
from lepton_server.storage.object_store import ObjectMissing, Probe, StoreTrouble, is_pack_key
from lepton_server.storage.s3.block_cache import Block, BlockCache
from lepton_server.storage.s3.client import bucket_and_prefix, code_of, make_client, status_of, translated
from lepton_server.storage.s3.direct_access import DirectAccess, S3Direct
from lepton_server.storage.s3.range_reader import RangeReader

_BLOCK = 1024 * 1024
_UNKNOWN = {"NotImplemented", "501"}  # said by servers that know no conditions


def open_s3_store(settings: ServerSettings) -> S3Store:
    """The store that `settings.storage` names; nothing is asked of it yet. Raises WrongUse."""
    spool = settings.data / "incoming"
    spool.mkdir(parents=True, exist_ok=True)
    return S3Store(settings.storage, settings.s3, spool)


class S3Store:
    """Keys lie below the prefix that `storage` (s3://BUCKET/PREFIX) names; `spool` is a folder for what is on its way."""

    def __init__(self, storage: str, s3: S3Settings, spool: Path) -> None:
        self.bucket, self._prefix = bucket_and_prefix(storage)
        self.client = make_client(s3)
        self._spool = spool
        self._blocks = BlockCache(self._fetch)
        self._access = DirectAccess(self.client, s3, self.bucket, self._prefix)
        self._encryption = encryption_arguments(s3)
        self._knows_conditions = True

    @property
    def direct(self) -> S3Direct | None:
        return self._access.direct

    @property
    def probe(self) -> Probe | None:
        return self._access.probe

    def begin(self, key: str) -> S3Incoming:
        with disk_errors(key):
            return S3Incoming(self, key, tempfile.TemporaryFile(dir=self._spool, buffering=0))

    def read(self, key: str, start: int, length: int) -> bytes:
        data = self._blocks.read(key, start, length)
        if len(data) < length:
            raise StoreTrouble(f"{key} ends before byte {start + length}")
        return data

    @contextmanager
    def blocks(self, key: str, start: int, length: int) -> Iterator[Iterator[bytes]]:
        if length == 0:
            yield iter(())
            return
        reader = self._reader(key, start, length)
        try:
            yield _whole(reader, key, start + length, length)
        finally:
            reader.close()

    def exists(self, key: str) -> bool:
        try:
            self.size(key)
        except ObjectMissing:
            return False
        return True

    def size(self, key: str) -> int:
        with translated(self.bucket, key):
            try:
                return int(self.client.head_object(Bucket=self.bucket, Key=self._prefix + key)["ContentLength"])
            except ClientError as error:
                if status_of(error) == 404:
                    self._check_bucket()  # an answer without a body does not say what is missing
                raise

    def keys(self) -> Iterator[str]:
        return filter(is_pack_key, self.all_keys())

    def all_keys(self) -> Iterator[str]:
        """Every key below the prefix, of packs and of anything else."""
        return self._listed("")

    def keys_below(self, folder: str) -> Iterator[str]:
        return self._listed(f"{folder}/")

    def _listed(self, beginning: str) -> Iterator[str]:
        prefix = self._prefix + beginning
        pages = iter(self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix))
        while True:
            with translated(self.bucket, self._prefix):
                page = next(pages, None)
            if page is None:
                return
            yield from (item["Key"].removeprefix(self._prefix) for item in page.get("Contents", []))

    def delete(self, key: str) -> None:
        self._blocks.forget(key)
        with translated(self.bucket, key):
            self.client.delete_object(Bucket=self.bucket, Key=self._prefix + key)

    def put(self, key: str, file: IO[bytes]) -> None:
        """Store a file under a new key. That it is there already, by a request whose answer was lost, is no error."""
        with translated(self.bucket, key):
            try:
                self._put(key, file)
            except ClientError as error:
                if code_of(error) not in ("PreconditionFailed", "412"):
                    raise
                if not self._holds(key, file):
                    raise StoreTrouble(f"something else lies under {key} in {self.bucket}") from error

    def _put(self, key: str, file: IO[bytes]) -> None:
        while True:
            file.seek(0)
            condition = {"IfNoneMatch": "*"} if self._knows_conditions else {}
            try:
                self.client.put_object(Bucket=self.bucket, Key=self._prefix + key, Body=file, **condition, **self._encryption)
            except ClientError as error:
                if code_of(error) not in _UNKNOWN or not condition:
                    raise
                self._knows_conditions = False  # keys are random, so that nothing is lost without
            else:
                return

    def _holds(self, key: str, file: IO[bytes]) -> bool:
        """Whether what lies under a key are the bytes of this file."""
        size = os.fstat(file.fileno()).st_size
        if self.size(key) != size:
            return False
        file.seek(0)
        with self.blocks(key, 0, size) as blocks:
            return all(block == read_exactly(file.fileno(), at * _BLOCK, len(block), key) for at, block in enumerate(blocks))

    def _fetch(self, key: str, start: int, length: int) -> Block:
        reader = self._reader(key, start, length)
        try:
            return Block(reader.read(length), reader.total)
        finally:
            reader.close()

    def _reader(self, key: str, start: int, length: int) -> RangeReader:
        return RangeReader(self.client, self.bucket, self._prefix + key, key, start, length)

    def _check_bucket(self) -> None:
        try:
            self.client.head_bucket(Bucket=self.bucket)
        except ClientError as error:
            if status_of(error) == 404:
                raise StoreTrouble(f"there is no bucket {self.bucket}", "Make it, or correct --storage.") from error
            raise


class S3Incoming:
    """A file without a name that goes to the bucket when it is whole."""

    def __init__(self, store: S3Store, key: str, file: IO[bytes]) -> None:
        self._store, self._key, self._file = store, key, file

    def write(self, data: bytes | bytearray | memoryview) -> None:
        write_all(self._file.fileno(), data, self._key)

    def read(self, start: int, length: int) -> bytes:
        with disk_errors(self._key):
            position = os.lseek(self._file.fileno(), 0, os.SEEK_CUR)
            try:
                return read_exactly(self._file.fileno(), start, length, self._key)
            finally:
                os.lseek(self._file.fileno(), position, os.SEEK_SET)

    def finish(self) -> None:
        self._store.put(self._key, self._file)
        self._file.close()

    def abort(self) -> None:
        self._file.close()


def encryption_arguments(s3: S3Settings) -> Mapping[str, Any]:
    """What boto3 is told, so that the bucket's server encrypts."""
    key = {"SSEKMSKeyId": s3.kms_key} if s3.kms_key else {}
    return {"ServerSideEncryption": s3.encryption, **key} if s3.encryption else {}


def _whole(reader: RangeReader, key: str, end: int, length: int) -> Iterator[bytes]:
    if reader.left < length:
        raise StoreTrouble(f"{key} ends before byte {end}")
    while reader.left:
        yield reader.read(_BLOCK)
