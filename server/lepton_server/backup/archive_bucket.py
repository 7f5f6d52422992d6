"""An archive of backups in a bucket of S3: a store that tells of all of its keys, whatever they are called."""

from __future__ import annotations

from collections.abc import Iterator

from lepton_server.s3_client import translated
from lepton_server.s3_store import S3Store


class Bucket(S3Store):
    def keys(self) -> Iterator[str]:
        pages = iter(self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self._prefix))
        while True:
            with translated(self.bucket, self._prefix):
                page = next(pages, None)
            if page is None:
                return
            yield from (item["Key"].removeprefix(self._prefix) for item in page.get("Contents", []))
