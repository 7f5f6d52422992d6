"""The server as an ASGI application: what it is made of, and how it starts and ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from git_lepton import __version__
from lepton_server.http import error_responses
from lepton_server.http.middleware.request_frame import RequestFrame
from lepton_server.http.routes import (
    accounts,
    audit,
    borrowed,
    capabilities,
    deleted,
    downloads,
    evidence,
    git,
    grants,
    locks,
    monitoring,
    objects,
    organisations,
    repositories,
    rules,
    shared_files,
    shares,
    tokens,
    transfers,
    upload_packs,
    uploads,
    usage,
)
from lepton_server.http.state import Services, open_services
from lepton_server.settings import ServerSettings
from lepton_server.storage.disk import DiskStore

_BULK = (transfers, upload_packs, uploads, downloads, objects)  # first, since routes are tried in this order
_PEOPLE = (accounts, organisations, tokens, grants, borrowed, audit)
_PARTS = (
    *_BULK,
    capabilities,
    monitoring,
    *_PEOPLE,
    repositories,
    deleted,
    rules,
    evidence,
    locks,
    shares,
    usage,
    git,
    shared_files,
)


def create_app(settings: ServerSettings) -> FastAPI:
    """The application on the data of `settings`. Raises NewerSchema, WrongStorage."""
    services = open_services(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await git.started(services)
        await run_in_threadpool(_begin, services)
        yield
        shared_files.close(app)
        await run_in_threadpool(_close, services)

    app = FastAPI(title="lepton-server", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.services = services
    monitoring.prepare(app, services)
    shared_files.prepare(app, services)
    error_responses.install(app)
    app.add_middleware(RequestFrame, settings=settings)
    for part in _PARTS:
        app.include_router(part.router)
    return app


def _begin(services: Services) -> None:
    if isinstance(services.store, DiskStore):
        services.store.clear_incoming()
    services.presence.start()
    services.verifier.start()


def _close(services: Services) -> None:
    services.verifier.stop()
    services.presence.stop()
    services.database.close()
