"""A client of the wire protocol that does exactly what a test tells it to, also what no good client does."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from git_lepton.format.coding.codec import decode, encode
from git_lepton.format.coding.encoded import RELEASED, EncodedChunk
from git_lepton.format.identifiers import ChunkId, ObjectId, PackId
from git_lepton.format.manifest import Manifest, ManifestEntry
from git_lepton.format.pack import PACK_HEAD, end_record
from git_lepton.wire.protocol import API, repository_path


@dataclass(frozen=True)
class Pack:
    name: PackId
    data: bytes


def make_pack(chunks: Sequence[EncodedChunk]) -> Pack:
    """A whole pack of these chunks, whether they are sound or not."""
    headers = [chunk.record().encode() for chunk in chunks]
    name, end = end_record(headers)
    records = [header + bytes(chunk.payload) for header, chunk in zip(headers, chunks, strict=True)]
    return Pack(name, PACK_HEAD + b"".join(records) + end)


@dataclass(frozen=True)
class Weights:
    """One file, cut and coded."""

    data: bytes
    chunks: tuple[EncodedChunk, ...]

    @property
    def oid(self) -> ObjectId:
        return ObjectId(hashlib.sha256(self.data).digest())

    @property
    def names(self) -> list[bytes]:
        return [chunk.name.raw for chunk in self.chunks]

    @property
    def unique(self) -> list[EncodedChunk]:
        return list({chunk.name: chunk for chunk in self.chunks}.values())

    def manifest(self, oid: ObjectId | None = None) -> Manifest:
        entries = tuple(ManifestEntry(chunk.name, chunk.raw_length) for chunk in self.chunks)
        return Manifest(oid or self.oid, len(self.data), entries)


def weights(*pieces: bytes) -> Weights:
    return Weights(b"".join(pieces), tuple(encode(piece, "") for piece in pieces))


class WeightsClient:
    """The repository `name` on a server, as the owner of `token` sees it."""

    def __init__(self, url: str, token: str, name: str) -> None:
        headers = {"Lepton-Protocol": "1", "Lepton-Codecs": ",".join(map(str, sorted(RELEASED)))}
        self.http = httpx.Client(base_url=url, headers=headers, timeout=60)
        if token:
            self.http.headers["Authorization"] = f"Bearer {token}"
        self.name = name

    def __enter__(self) -> WeightsClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def ask(self, method: str, *parts: str, **options: Any) -> httpx.Response:
        return self.http.request(method, repository_path(self.name, *parts), **options)

    def open(self) -> str:
        reply = self.ask("POST", "uploads")
        assert reply.status_code == 201, reply.text
        return str(reply.json()["session"])

    def have(self, session: str, names: Sequence[bytes]) -> list[int]:
        reply = self.ask("POST", "uploads", session, "have", content=b"".join(names))
        assert reply.status_code == 200, reply.text
        return list(reply.content)

    def announce(self, session: str, manifest: Manifest) -> None:
        reply = self.ask("PUT", "uploads", session, "manifests", manifest.oid.hex, content=manifest.encode())
        assert reply.status_code == 202, reply.text

    def ticket(self, session: str, pack: Pack, sequence: int = 0, size: int | None = None) -> dict[str, Any]:
        offer = {"pack": pack.name.hex, "size": size or len(pack.data), "sequence": sequence}
        reply = self.ask("POST", "uploads", session, "packs", json={"packs": [offer]})
        assert reply.status_code == 200, reply.text
        found: dict[str, Any] = reply.json()["tickets"][0]
        return found

    def put(self, ticket: dict[str, Any], data: bytes) -> httpx.Response:
        with httpx.Client(verify=False, timeout=60) as plain:  # no TLS here; making its context takes long
            return plain.put(ticket["url"], content=data, headers=ticket["headers"])

    def send(self, session: str, pack: Pack, sequence: int = 0) -> None:
        """Bring a pack, unless it is there."""
        ticket = self.ticket(session, pack, sequence)
        if ticket["url"]:
            reply = self.put(ticket, pack.data)
            assert reply.status_code == 201, reply.text

    def commit(self, session: str) -> dict[str, Any]:
        reply = self.ask("POST", "uploads", session, "commit")
        assert reply.status_code == 202, reply.text
        found: dict[str, Any] = reply.json()
        return found

    def ended(self, session: str, patience: float = 30.0) -> dict[str, Any]:
        """The state of a committed upload once it has ended."""
        limit = time.monotonic() + patience
        while time.monotonic() < limit:
            state: dict[str, Any] = self.ask("GET", "uploads", session).json()
            if state["state"] in ("done", "failed"):
                return state
            time.sleep(0.02)
        raise AssertionError("the upload does not end")

    def upload(self, *files: Weights, packs: Sequence[Pack] | None = None) -> dict[str, Any]:
        """The whole life of an upload; its last state."""
        session = self.open()
        for file in files:
            self.announce(session, file.manifest())
        if packs is None:
            packs = [make_pack([chunk for file in files for chunk in file.unique])]
        for sequence, pack in enumerate(packs):
            self.send(session, pack, sequence)
        self.commit(session)
        return self.ended(session)

    def check(self, *oids: ObjectId) -> list[int]:
        reply = self.ask("POST", "objects", "check", content=b"".join(oid.raw for oid in oids))
        assert reply.status_code == 200, reply.text
        return list(reply.content)

    def plan(self, names: Sequence[bytes]) -> dict[str, Any]:
        reply = self.ask("POST", "plan", content=b"".join(names))
        assert reply.status_code == 200, reply.text
        found: dict[str, Any] = reply.json()
        return found

    def urls(self, pack: str, start: int, end: int) -> httpx.Response:
        return self.ask("POST", "urls", json={"ranges": [{"pack": pack, "start": start, "end": end}]})

    def fetch(self, name: bytes) -> bytes | bytearray:
        """One solo chunk, the whole way."""
        plan = self.plan([name])
        pack, offset, stored, raw, codec, depth, checksum, base = plan["entries"][0]
        assert (depth, base) == (0, -1)
        url = self.urls(plan["packs"][pack]["pack"], offset, offset + stored).json()["urls"][0]
        reply = httpx.get(url["url"], headers=url["headers"])
        assert reply.status_code == 206, reply.text
        return decode(EncodedChunk(ChunkId(name), codec, depth, None, raw, reply.content, checksum))


__all__ = ["API", "Pack", "Weights", "WeightsClient", "make_pack", "weights"]


Connect = Callable[..., WeightsClient]
"""What the fixture `connect` gives: makes a client, by default the admin's at a repository of the test's own."""
Noise = Callable[[int], bytes]
"""What the fixture `noise` gives: so many bytes that no other test has."""
