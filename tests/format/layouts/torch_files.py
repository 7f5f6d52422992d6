"""Files of torch.save for tests of readers and scanners."""

from __future__ import annotations

import io
import struct
import zipfile
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch  # takes seconds to load: only where it is used

Entries = list[tuple[str, bytes]]


def saved(value: Any, **options: Any) -> bytes:
    import torch

    buffer = io.BytesIO()
    torch.save(value, buffer, **options)
    return buffer.getvalue()


def entries(data: bytes) -> Entries:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]


def zipped(members: Entries, *, streamed: bool = True, wide: bool = False) -> bytes:
    """Local headers and data as torch writes them (`wide`: with lengths of 64 bits), and the beginning of a directory."""
    parts = []
    for name, data in members:
        text = name.encode()
        sizes = (0, 0) if streamed else (2**32 - 1,) * 2 if wide else (len(data),) * 2
        extra = struct.pack("<HHQQ", 1, 16, len(data), len(data)) if wide else b""
        flags = 8 if streamed else 0
        parts += [struct.pack("<4s2xHH8xIIHH", b"PK\x03\x04", flags, 0, *sizes, len(text), len(extra)), text, extra, data]
        if streamed:
            parts.append(struct.pack("<4s4xQQ" if wide else "<4s4xII", b"PK\x07\x08", len(data), len(data)))
    return b"".join(parts) + b"PK\x01\x02" + bytes(42)


def state_dict() -> dict[str, torch.Tensor]:
    """A small model's, of noise, each tensor large enough for a region of its own."""
    import torch

    torch.manual_seed(1)
    return OrderedDict(
        [
            ("embedding.weight", torch.randn(300, 40)),
            ("layer.weight", torch.randn(40, 50).to(torch.bfloat16)),
            ("layer.bias", torch.randn(400).to(torch.float16)),
            ("ids", torch.arange(500)),
        ]
    )


def raw(tensor: torch.Tensor) -> bytes:
    """The bytes of a tensor, in the order of its dimensions."""
    import torch

    return tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
