"""Evidence on this machine: records by the model version that they are about, in `evidence/MODEL-DIGEST/RECORD-NAME.json`.

A record that is damaged, or of another version of git-lepton, is passed over with a word: it can be brought or made again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from git_lepton.errors import LeptonError
from git_lepton.evidence.record import MAX_RECORD_BYTES, BadRecord, Record, Waiver, parse_record, record_name
from git_lepton.store.durable import make_folder, write_durably

_HEX = re.compile(r"[0-9a-f]{64}")


class Kept(NamedTuple):
    """A record and its name."""

    name: str
    record: Record


class EvidenceStore:
    """The records below `root`, the local store's folder. Only ever added to; several processes may add at once."""

    def __init__(self, root: Path) -> None:
        self._root = root / "evidence"
        self.passed_over: list[str] = []

    def add(self, data: bytes) -> Kept:
        """Keep a record, durably; one that is there is not written again. Raises BadRecord and what `parse_record` does."""
        record = parse_record(data)
        if isinstance(record, Waiver):
            raise BadRecord("a waiver is given with a push, and kept by the server")
        name = record_name(data)
        folder = self._root / record.model_digest
        path = folder / f"{name}.json"
        if not path.exists() or path.read_bytes() != data:  # what is damaged is mended
            make_folder(folder)
            write_durably(path, data)
        return Kept(name, record)

    def of_model(self, digest: str) -> list[Kept]:
        """The records of one version of a model (its digest in hex), by name."""
        return [Kept(name, record) for name, _, record in self._read(digest)]

    def encoded(self, digest: str) -> dict[str, bytes]:
        """The same in canonical form, by name."""
        return {name: data for name, data, _ in self._read(digest)}

    def models(self) -> list[str]:
        """The digests of the versions that there is evidence of."""
        return sorted(path.name for path in self._root.iterdir() if _HEX.fullmatch(path.name)) if self._root.is_dir() else []

    def _read(self, digest: str) -> Iterator[tuple[str, bytes, Record]]:
        folder = self._root / digest
        if not _HEX.fullmatch(digest) or not folder.is_dir():
            return
        for path in sorted(folder.glob("*.json")):
            try:
                with path.open("rb") as file:
                    data = file.read(MAX_RECORD_BYTES + 1)
                if record_name(data) != path.stem:
                    raise BadRecord(f"{path.name} is damaged")
                record = parse_record(data)
            except (LeptonError, OSError) as error:
                self.passed_over.append(f"{path}: {error}")
                continue
            if isinstance(record, Record) and record.model_digest == digest:
                yield path.stem, data, record
