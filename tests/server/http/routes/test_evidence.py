"""Evidence of versions of models, brought and found by the client over HTTP."""

from __future__ import annotations

from dataclasses import replace

import httpx
import pytest

from git_lepton.evidence.record import MAX_RECORD_BYTES, Metric, Record, record_name
from git_lepton.transfer.evidence import EvidenceStore
from tests.server.conftest import BOTH_DATABASES
from tests.server.everybody import OWN, Everybody
from tests.support.running_server import RunningServer

pytestmark = BOTH_DATABASES
MODEL, EVALUATION = "1" * 64, "3" * 64
RUN = Record("m", MODEL, "eval", EVALUATION, {"accuracy": Metric(0.5)}, made="2026-12-01T12:00:00Z")
