"""Packs of an upload, and where they go (docs/wire-protocol.md, section 4): to the storage where clients may, else through this server."""

from __future__ import annotations

import re

from fastapi import APIRouter, Request, Response

from git_lepton.format.identifiers import PackId
from git_lepton.wire.messages import PackOffer, PackOffers, Ticket, Tickets
from git_lepton.wire.protocol import API, BINARY, MAX_TICKETS
from lepton_server.errors import Refusal
from lepton_server.http.dependencies import MessageRoute, RequiredCaller, WritableRepository
from lepton_server.http.routes.uploads import OpenSession, parsed
from lepton_server.http.state import Services, ServicesDep
from lepton_server.http.transfer_tokens import PUT
from lepton_server.identity.caller import Caller
from lepton_server.repositories.registry import Repository
from lepton_server.storage.object_store import DirectTransfers
from lepton_server.uploads import arrival, sessions

router = APIRouter(prefix=f"{API}/repositories/{{owner}}/{{name}}/uploads", tags=["upload"], route_class=MessageRoute)
_SHA256 = re.compile("[0-9a-f]{64}")


@router.post("/{session}/packs")
def offer(
    request: Request,
    repository: WritableRepository,
    caller: RequiredCaller,
    services: ServicesDep,
    session: OpenSession,
    offers: PackOffers,
) -> Tickets:
    """Where each of these packs goes."""
    if len(offers.packs) > MAX_TICKETS:
        raise Refusal("too_large", f"This request offers more than {MAX_TICKETS} packs.", "Offer fewer at a time.")
    for offered in offers.packs:
        _check_offer(services, offered)
    direct = services.store.direct
    with services.database.write() as connection:
        known = {offered for offered in offers.packs if sessions.attach_known(connection, caller, repository, session, offered)}
        wanted = [offered for offered in offers.packs if offered not in known]
        keys = arrival.promise_keys(connection, repository, session, _for_direct(direct, wanted))
    if known:
        services.verifier.wake(session)
    seconds, base = services.settings.transfer_seconds, services.base_url(request)
    tickets = []
    for offered in offers.packs:
        if offered in known:
            tickets.append(Ticket(offered.pack, "", {}, False, seconds))
        elif direct and offered.pack in keys:
            signed = direct.upload(keys[offered.pack], offered.size, offered.sha256 if direct.checksum else "", seconds)
            tickets.append(Ticket(offered.pack, signed.url, signed.headers, True, signed.expires_in))
        else:
            tickets.append(_own_ticket(services, base, caller, repository, session, offered))
    return Tickets(tickets)


def _for_direct(direct: DirectTransfers | None, wanted: list[PackOffer]) -> list[PackOffer]:
    """Those that can go to the storage itself: with the checksum that it compares, which a session that is older than that has not."""
    return [offered for offered in wanted if offered.sha256 or not direct.checksum] if direct else []


def _check_offer(services: Services, offered: PackOffer) -> None:
    parsed(PackId, offered.pack)
    if offered.size > services.settings.max_pack_bytes:
        raise Refusal("too_large", f"A pack has at most {services.settings.max_pack_bytes} bytes.", "Send smaller packs.")
    if offered.sha256 and not _SHA256.fullmatch(offered.sha256):
        raise Refusal("bad_request", "The SHA-256 of a pack has 64 hex digits.")
    if offered.size <= 0 or not 0 <= offered.sequence < 1 << 62:
        raise Refusal("bad_request", "This pack has a size or a sequence number that none can have.")


def _own_ticket(
    services: Services, base: str, caller: Caller, repository: Repository, session: str, offered: PackOffer
) -> Ticket:
    """Through this server."""
    seconds = services.settings.transfer_seconds
    claims = {"upload": session, "account": caller.account, "repository": repository.id, "tenant": repository.tenant}
    claims |= {"pack": offered.pack, "size": offered.size, "sequence": offered.sequence}
    token = services.signer.sign(PUT, claims, seconds)
    return Ticket(offered.pack, f"{base}{API}/transfers/{token}", {"Content-Type": BINARY}, False, seconds)


@router.post("/{session}/packs/{pack}/received", status_code=202, response_class=Response)
def received(
    pack: str, session: OpenSession, repository: WritableRepository, caller: RequiredCaller, services: ServicesDep
) -> Response:
    """A pack is where its ticket said. Saying so again is no error."""
    name = parsed(PackId, pack).hex
    if arrival.receive_brought(services.database, services.store, caller, repository, session, name):
        services.verifier.wake(session)
    return Response(status_code=202)
