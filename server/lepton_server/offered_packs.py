"""Whether bytes that arrived are the pack that was offered, as far as its end tells."""

from __future__ import annotations

import threading

from git_lepton.wire.messages import PackOffer
from lepton_server.ingest import ReadAt, pack_name
from lepton_server.refusals import Refusal

_INDEXES = threading.BoundedSemaphore(2)  # packs whose index is in memory at once: it may have several MB


def check_pack(read: ReadAt, size: int, offer: PackOffer) -> None:
    """Raises Refusal (corrupt_data), CorruptData, UnknownPackVersion or TooManyRecords, and what `read` raises."""
    with _INDEXES:
        if size != offer.size or pack_name(read, size).hex != offer.pack:
            raise Refusal("corrupt_data", "What arrived is not the pack that was offered.", "Send it again.")
