"""Is it alive, is it ready, how is it doing: for load balancers, orchestrators and Prometheus."""

from __future__ import annotations

import hmac
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from lepton_server.errors import Refusal
from lepton_server.http.monitoring.gauges import Figures
from lepton_server.http.monitoring.readiness import Readiness
from lepton_server.http.state import Services, ServicesDep
from lepton_server.identity.authentication import caller_of, unauthenticated
from lepton_server.identity.caller import DEFAULT_TENANT
from lepton_server.observability.metrics import all_counted

router = APIRouter(tags=["watching"])


def prepare(app: FastAPI, services: Services) -> None:
    """Give an application what these routes ask."""
    app.state.readiness = Readiness(services)
    app.state.figures = CollectorRegistry()
    app.state.figures.register(Figures(services))


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """Whether this process answers; it asks nobody else, so that an outage elsewhere restarts nothing."""
    return {"status": "ok"}


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz", responses={503: {"description": "not now"}})
def readyz(request: Request, response: Response) -> dict[str, Any]:
    """Whether it can serve now, part by part."""
    report = request.app.state.readiness.report()
    response.status_code = 200 if report.ready else 503
    status = "ready" if report.ready else "not ready"
    return {"status": status, "parts": {name: asdict(part) for name, part in report.parts.items()}}


def _may_measure(request: Request, services: ServicesDep) -> None:
    """Who has the token for it, or is an admin of the whole server. Coming from this machine is no right: so does all that a proxy
    on it passes on."""
    authorization = request.headers.get("authorization", "")
    wanted = services.settings.metrics_token
    if wanted and hmac.compare_digest(authorization.encode(), f"Bearer {wanted}".encode()):
        return
    if not authorization:
        raise unauthenticated()
    caller = caller_of(services.database, authorization)
    request.state.caller = caller
    if not caller.admin or caller.tenant != DEFAULT_TENANT or "admin" not in caller.scopes or caller.limited_to is not None:
        raise Refusal("forbidden", "Only admins of the server may read its metrics.", "Ask for the metrics token.")


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def metrics(request: Request, _: Annotated[None, Depends(_may_measure)]) -> Response:
    """What this server counts, in the text format of Prometheus."""
    text = generate_latest(all_counted()) + generate_latest(request.app.state.figures)
    return Response(text, media_type=CONTENT_TYPE_LATEST)
