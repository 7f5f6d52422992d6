"""The server as an ASGI application: what it is made of, and how it starts and ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from git_lepton import __version__
from lepton_server import replies
from lepton_server.routes import capabilities, downloads, git, objects, repositories, transfers, uploads
from lepton_server.services import Services, open_services
from lepton_server.settings import ServerSettings

_PARTS = (capabilities, repositories, objects, uploads, downloads, transfers, git)


def create_app(settings: ServerSettings, *, alone: bool = True) -> FastAPI:
    """The application on the data of `settings`. `alone`: no other process uses them now. Raises NewerSchema."""
    services = open_services(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await git.started(services)
        await run_in_threadpool(services.verifier.start, alone=alone)
        yield
        await run_in_threadpool(_close, services)

    app = FastAPI(title="lepton-server", version=__version__, lifespan=lifespan, openapi_url="/openapi.json")
    app.state.services = services
    replies.install(app)
    for part in _PARTS:
        app.include_router(part.router)
    return app


def _close(services: Services) -> None:
    services.verifier.stop()
    services.database.close()
