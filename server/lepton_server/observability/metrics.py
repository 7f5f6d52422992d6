"""Metrics of this process, in the words of Prometheus: requests, bytes, and what pushes brought. docs/operations.md lists the names.

Counting costs a microsecond and never fails. The workers of one server count together (`worker_metrics`): any of them answers for all.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.multiprocess import MultiProcessCollector

from lepton_server.observability.worker_metrics import shared_folder

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each, which nobody reads
COUNTED = CollectorRegistry()
_BUCKETS = (0.005, 0.02, 0.05, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
requests = Counter("lepton_requests", "Requests that were answered.", ["route", "method", "status"], registry=COUNTED)
seconds = Histogram(
    "lepton_request_seconds", "From head to end of answer.", ["route", "method"], buckets=_BUCKETS, registry=COUNTED
)
in_progress = Gauge("lepton_requests_in_progress", "Requests that are under way.", multiprocess_mode="livesum", registry=COUNTED)
received = Counter("lepton_received_bytes", "Bytes of requests' bodies.", ["kind"], registry=COUNTED)
sent = Counter("lepton_sent_bytes", "Bytes of answers' bodies.", ["kind"], registry=COUNTED)
pushed_files = Counter("lepton_pushed_file_bytes", "Bytes of the files that pushes made visible.", registry=COUNTED)
pushed_chunks = Counter(
    "lepton_pushed_chunk_bytes",
    "Bytes of chunks that were not there before: raw, and as they are stored.",
    ["form"],
    registry=COUNTED,
)
failed_logins = Counter("lepton_failed_logins", "Requests with a token that is not valid.", registry=COUNTED)
turned_away = Counter("lepton_turned_away", "Requests that came too often (429).", ["limit"], registry=COUNTED)


def all_counted() -> CollectorRegistry:
    """What this process counted, or what all workers of its server did."""
    folder = shared_folder()
    if folder is None:
        return COUNTED
    together = CollectorRegistry()
    MultiProcessCollector(together, str(folder))  # type: ignore[no-untyped-call]  # the library has no types for it
    return together
