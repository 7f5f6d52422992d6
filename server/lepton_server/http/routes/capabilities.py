"""Capabilities of this server."""

from __future__ import annotations

from fastapi import APIRouter

from git_lepton import __version__
from git_lepton.format.coding.encoded import RELEASED
from git_lepton.wire.messages import Capabilities
from git_lepton.wire.protocol import CAPABILITIES, PROTOCOL_VERSION
from lepton_server.http.state import ServicesDep

router = APIRouter(tags=["server"])


@router.get(CAPABILITIES)
def capabilities(services: ServicesDep) -> Capabilities:
    """The first question of every client; needs no token."""
    versions = PROTOCOL_VERSION, PROTOCOL_VERSION
    return Capabilities("lepton-server", __version__, *versions, sorted(RELEASED), services.settings.max_pack_bytes)
