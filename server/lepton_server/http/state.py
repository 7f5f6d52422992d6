"""State that the parts of one running server share, and how a route gets at it."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from lepton_server.backends import await_store, incoming_folder, open_database
from lepton_server.content import journal
from lepton_server.coordination.presence import Presence
from lepton_server.database.transactions import Database
from lepton_server.git.fruitless_pushes import FruitlessPushes
from lepton_server.http.middleware.concurrency_limit import Turns
from lepton_server.http.transfer_tokens import Signer
from lepton_server.settings import ServerSettings
from lepton_server.storage.object_store import ObjectStore
from lepton_server.uploads.verification_threads import Verifier

_log = logging.getLogger("lepton_server")


@dataclass(frozen=True)
class Services:
    """What one serving process has opened: settings, database, storage, and what works on them."""

    settings: ServerSettings
    database: Database
    store: ObjectStore
    signer: Signer
    verifier: Verifier
    presence: Presence
    push_turns: Turns  # by account: nobody's pushes take the machine from the others
    fruitless_pushes: FruitlessPushes
    closing: threading.Event  # set when the server begins to end: whoever waits for something then answers

    def base_url(self, request: Request) -> str:
        """The server's address as the caller knows it, without a slash at its end."""
        return (self.settings.public_url or str(request.base_url)).rstrip("/")


def open_services(settings: ServerSettings) -> Services:
    """Open what the settings name; a storage that does not answer is waited for. Raises NewerSchema, WrongStorage, DirectImpossible."""
    database = open_database(settings)
    store = await_store(settings, database, incoming_folder(settings))
    _ = store.direct  # is found out now: what cannot work should not start
    if journal.compare(database, store):
        _log.warning("%s. %s", journal.OLDER, journal.WAYS_BACK)
    verifier = Verifier(database, store, settings)
    presence = Presence(database, verifier.look_around)
    return Services(
        settings,
        database,
        store,
        _signer(settings, database),
        verifier,
        presence,
        push_turns(settings),
        FruitlessPushes(),
        threading.Event(),
    )


def push_turns(settings: ServerSettings) -> Turns:
    """How many pushes git works on at once; who gets no turn is told so."""
    message = (
        f"Others were at work all the time: {settings.pushes_of_one_account or 'any number of'} pushes of one account are at once here,"
        f" and {settings.pushes_at_once or 'any number'} of all."
    )
    hint = (
        "Push again when they are done, or ask whoever runs the server for a larger --pushes-of-one-account or --pushes-at-once."
    )
    return Turns(settings.pushes_at_once, settings.pushes_of_one_account, (message, hint))


def _signer(settings: ServerSettings, database: Database) -> Signer:
    """With a secret of all processes: in the data folder where there is one of these, else in the database."""
    return Signer.of_database(database) if database.is_shared else Signer.of_file(settings.secret_file)


async def _services(request: Request) -> Services:
    found: Services = request.app.state.services
    return found


ServicesDep = Annotated[Services, Depends(_services)]
