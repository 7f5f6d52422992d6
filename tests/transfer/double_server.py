"""A stand-in for the server that keeps everything in memory and speaks docs/wire-protocol.md."""

from __future__ import annotations

import json
import re
import threading
from hashlib import sha256

from git_lepton.format.coding.codec import decode
from git_lepton.format.coding.encoded import RELEASED, EncodedChunk
from git_lepton.format.identifiers import ChunkId
from git_lepton.format.manifest import Manifest, parse_manifest
from git_lepton.format.pack import TRAILER_BYTES, Record, index_bytes, parse_end
from git_lepton.wire import messages as m
from git_lepton.wire.protocol import split_digests
from tests.transfer.scripted_server import Answer, Request, ScriptedServer, error_answer, json_answer


class Double:
    def __init__(self, codecs: list[int] | None = None, upload_checksum: str = "") -> None:
        self.codecs = codecs or sorted(RELEASED)
        self.upload_checksum = upload_checksum
        self.lock = threading.Lock()
        self.packs: dict[str, bytes] = {}
        self.chunks: dict[bytes, tuple[str, int, Record]] = {}
        self.objects: dict[bytes, Manifest] = {}
        self.sessions: dict[str, dict[bytes, Manifest]] = {}
        self.offers: list[m.PackOffer] = []
        self.confirm = False
        self.confirmed: list[str] = []
        self.server = ScriptedServer(self.answer)
        self.url = self.server.url

    def __enter__(self) -> Double:
        self.server.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.__exit__()

    def answer(self, request: Request) -> Answer:
        rest = request.path.partition("?")[0].removeprefix("/api/v1/repositories/ada/m/")
        with self.lock:
            for pattern, handler in self.routes:
                if found := re.fullmatch(pattern, f"{request.method} {rest}"):
                    return handler(self, request, *found.groups())
        return error_answer(404, "not_found")

    def record(self, chunk: ChunkId) -> Record:
        return self.chunks[chunk.raw][2]

    def check(self, request: Request) -> Answer:
        return Answer(200, bytes(2 if name in self.objects else 0 for name in split_digests(request.body)))

    def manifests(self, request: Request) -> Answer:
        found = [self.objects[n].encode() if n in self.objects else b"" for n in split_digests(request.body)]
        return Answer(200, b"".join(len(data).to_bytes(4, "little") + data for data in found))

    def open(self, request: Request) -> Answer:
        name = f"s{len(self.sessions)}"
        self.sessions[name] = {}
        return json_answer(m.Upload(name, self.codecs, 1 << 26, 3600, self.upload_checksum), 201)

    def have(self, request: Request, session: str) -> Answer:
        return Answer(200, bytes(2 if name in self.chunks else 0 for name in split_digests(request.body)))

    def announce(self, request: Request, session: str, oid: str) -> Answer:
        if session not in self.sessions:
            return error_answer(410, "session_gone")
        self.sessions[session][bytes.fromhex(oid)] = parse_manifest(request.body)
        return Answer(202)

    def announce_all(self, request: Request, session: str) -> Answer:
        if session not in self.sessions:
            return error_answer(410, "session_gone")
        start = 0
        while start < len(request.body):
            end = start + 4 + int.from_bytes(request.body[start : start + 4], "little")
            manifest = parse_manifest(request.body[start + 4 : end])
            self.sessions[session][manifest.oid.raw] = manifest
            start = end
        return Answer(202)

    def offer(self, request: Request, session: str) -> Answer:
        if session not in self.sessions:
            return error_answer(410, "session_gone")
        offers = m.from_json(m.PackOffers, json.loads(request.body)).packs
        self.offers += offers
        return json_answer(
            m.Tickets(
                [
                    m.Ticket(o.pack, "" if o.pack in self.packs else f"/put/{session}/{o.pack}", {"X-Key": "k"}, self.confirm, 60)
                    for o in offers
                ]
            )
        )

    def put(self, request: Request, session: str, pack: str) -> Answer:
        tail = request.body[-index_bytes(request.body[-TRAILER_BYTES:]) :]
        name, records = parse_end(tail, len(request.body))
        offered = next(offer for offer in self.offers if offer.pack == pack)
        if str(name) != pack or request.headers["x-key"] != "k" or offered.size != len(request.body):
            return error_answer(422, "corrupt_data")
        if self.upload_checksum and sha256(request.body).hexdigest() != offered.sha256:
            return error_answer(422, "corrupt_data")
        self.packs[pack] = request.body
        for start, record in records:
            assert record.base is None or record.base.raw in self.chunks, "a base came after its delta"
            self.chunks.setdefault(record.name.raw, (pack, start, record))
        return Answer(200)

    def received(self, request: Request, session: str, pack: str) -> Answer:
        self.confirmed.append(pack)
        return Answer(202)

    def read(self, name: bytes) -> bytes:
        pack, start, record = self.chunks[name]
        payload = self.packs[pack][start : start + record.stored_length]
        if record.codec == 9:  # `weights.fake_delta`
            return payload
        base = self.read(record.base.raw) if record.base else None
        assert record.codec in self.codecs
        encoded = EncodedChunk(
            ChunkId(name), record.codec, record.depth, record.base, record.raw_length, payload, record.checksum
        )
        return bytes(decode(encoded, base))

    def commit(self, request: Request, session: str) -> Answer:
        failures = []
        for oid, manifest in self.sessions[session].items():
            missing = [e for e in manifest.entries if e.chunk.raw not in self.chunks]
            if missing:
                failures.append(m.UploadFailure(oid.hex(), "missing_chunks", f"lacks {len(missing)} chunks"))
            elif sha256(b"".join(self.read(e.chunk.raw) for e in manifest.entries)).digest() != oid:
                failures.append(m.UploadFailure(oid.hex(), "corrupt_data", "its SHA-256 is another"))
            else:
                self.objects[oid] = manifest
        self.failures = failures
        return json_answer(m.UploadState("verifying", 0, 1), 202)

    def state(self, request: Request, session: str) -> Answer:
        return json_answer(m.UploadState("failed" if self.failures else "done", 1, 1, self.failures))

    def plan(self, request: Request) -> Answer:
        asked = split_digests(request.body)
        there = [name for name in asked if name in self.chunks]
        extra: list[bytes] = []
        for name in there:
            base = self.chunks[name][2].base
            while base and base.raw not in there + extra:
                extra.append(base.raw)
                base = self.chunks[base.raw][2].base
        names = there + extra
        packs = sorted({self.chunks[name][0] for name in names})
        entries = []
        for name in names:
            pack, start, r = self.chunks[name]
            base_index = names.index(r.base.raw) if r.base else -1
            lengths = r.stored_length, r.raw_length
            entries.append([packs.index(pack), start, *lengths, r.codec, r.depth, r.checksum, base_index])
        missing = [index for index, name in enumerate(asked) if name not in self.chunks]
        planned = [m.PlannedPack(pack, len(self.packs[pack])) for pack in packs]
        return json_answer(m.Plan(planned, entries, [n.hex() for n in extra], missing))

    def urls(self, request: Request) -> Answer:
        ranges = m.from_json(m.RangeRequests, json.loads(request.body)).ranges
        return json_answer(
            m.RangeUrls([m.RangeUrl(f"/get/{r.pack}", {"Range": f"bytes={r.start}-{r.end - 1}"}, 60) for r in ranges])
        )

    def get(self, request: Request, pack: str) -> Answer:
        first, last = request.headers["range"].removeprefix("bytes=").split("-")
        return Answer(206, self.packs[pack][int(first) : int(last) + 1])

    routes = (
        ("POST objects/check", check),
        ("POST manifests/read", manifests),
        ("POST uploads", open),
        (r"POST uploads/(\w+)/have", have),
        (r"PUT uploads/(\w+)/manifests/(\w+)", announce),
        (r"POST uploads/(\w+)/manifests", announce_all),
        (r"POST uploads/(\w+)/packs", offer),
        (r"PUT /put/(\w+)/(\w+)", put),
        (r"POST uploads/(\w+)/packs/(\w+)/received", received),
        (r"POST uploads/(\w+)/commit", commit),
        (r"GET uploads/(\w+)", state),
        ("POST plan", plan),
        ("POST urls", urls),
        (r"GET /get/(\w+)", get),
    )
