"""Whether a pack's bytes are those that its name stands for: its end, every header and the checksum of every payload."""

from __future__ import annotations

import xxhash

from git_lepton.format.pack import HEADER_BYTES, PACK_HEAD, TRAILER_BYTES, BadPack, check_pack_head, index_bytes, parse_end


def check_whole_pack(data: bytes, name: bytes) -> None:
    """Raises BadPack or UnknownPackVersion unless these bytes are the pack of this name (32 bytes), all of it."""
    if len(data) < len(PACK_HEAD) + HEADER_BYTES + TRAILER_BYTES:
        raise BadPack(f"pack {name.hex()} is too short to be one")
    check_pack_head(data[: len(PACK_HEAD)])
    length = index_bytes(data[-TRAILER_BYTES:])
    if length > len(data) - len(PACK_HEAD):
        raise BadPack(f"the index of pack {name.hex()} is longer than the pack")
    found, records = parse_end(data[-length:], len(data))
    if found.raw != name:
        raise BadPack(f"what lies there as pack {name.hex()} is pack {found}")
    view = memoryview(data)
    for offset, record in records:
        if view[offset - HEADER_BYTES : offset] != record.encode():
            raise BadPack(f"the header of chunk {record.name} in pack {name.hex()} is not what the index says")
        if xxhash.xxh3_64_intdigest(view[offset : offset + record.stored_length]) != record.checksum:
            raise BadPack(f"the payload of chunk {record.name} in pack {name.hex()} is damaged: its checksum does not match")
