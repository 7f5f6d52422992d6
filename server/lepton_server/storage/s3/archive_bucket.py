"""An archive of backups in a bucket of S3: a store that tells of all of its keys, whatever they are called."""

from __future__ import annotations

from collections.abc import Iterator

from lepton_server.storage.s3.store import S3Store


class Bucket(S3Store):
    def keys(self) -> Iterator[str]:
        return self.all_keys()
