"""What the parts of one running server share, and how a route gets at it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from lepton_server.database import Database
from lepton_server.object_store import ObjectStore
from lepton_server.places import await_store, incoming_folder, open_database
from lepton_server.processes import Presence
from lepton_server.settings import ServerSettings
from lepton_server.transfer_urls import Signer
from lepton_server.verifier import Verifier


@dataclass(frozen=True)
class Services:
    settings: ServerSettings
    database: Database
    store: ObjectStore
    signer: Signer
    verifier: Verifier
    presence: Presence
    closing: threading.Event  # set when the server begins to end: who waits for something, answers

    def base_url(self, request: Request) -> str:
        """The server's address as the caller knows it, without a slash at its end."""
        return (self.settings.public_url or str(request.base_url)).rstrip("/")


def open_services(settings: ServerSettings) -> Services:
    """Open what the settings name; a storage that does not answer is waited for. Raises NewerSchema, WrongStorage, DirectImpossible."""
    database = open_database(settings)
    store = await_store(settings, database, incoming_folder(settings))
    _ = store.direct  # is found out now: what cannot work should not start
    verifier = Verifier(database, store, settings)
    presence = Presence(database, verifier.look_around)
    return Services(settings, database, store, _signer(settings, database), verifier, presence, threading.Event())


def _signer(settings: ServerSettings, database: Database) -> Signer:
    """With a secret of all processes: in the data folder where there is one of these, else in the database."""
    return Signer.of_database(database) if database.is_shared else Signer.of_file(settings.secret_file)


async def _services(request: Request) -> Services:
    found: Services = request.app.state.services
    return found


ServicesDep = Annotated[Services, Depends(_services)]
