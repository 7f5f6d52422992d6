"""Git itself, at `/OWNER/NAME.git`: smart HTTP only, by `git http-backend` (docs/wire-protocol.md, section 6)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from enum import StrEnum
from functools import partial
from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from starlette.concurrency import run_in_threadpool

from git_lepton.wire.protocol import ERRORS
from lepton_server.errors import Refusal
from lepton_server.git import folder_marks, forks
from lepton_server.git.bare_repositories import GitRoot, HookMissing, create_bare
from lepton_server.git.http_backend import BackendResponse, Handling, backend_environment
from lepton_server.git.program import GitMissing, git_program
from lepton_server.git.push import PushResponse, hosted_receiver
from lepton_server.http.dependencies import OptionalCaller
from lepton_server.http.state import Services, ServicesDep
from lepton_server.identity.caller import Caller
from lepton_server.repositories import permissions, registry
from lepton_server.repositories.permissions import Action
from lepton_server.repositories.registry import Repository

router = APIRouter(include_in_schema=False)
_PATIENCE_SECONDS = 240.0  # of a push that waits for others of its account; proxies wait for ten minutes
_log = logging.getLogger(__name__)


class GitService(StrEnum):
    """The two services of git over HTTP, by the names that git gives them."""

    FETCH = "git-upload-pack"
    PUSH = "git-receive-pack"

    @property
    def action(self) -> Action:
        return Action.WRITE if self is GitService.PUSH else Action.READ


async def started(services: Services) -> None:
    """Make what all pushes need, once, when the server starts. Without git the server serves weights only, and says so."""
    try:
        await run_in_threadpool(GitRoot(services.settings.git_root).prepare)
        await run_in_threadpool(forks.clear_abandoned, services.database, services.settings)
    except GitMissing as missing:
        _log.warning("%s", missing)


@router.get("/{owner}/{name}.git/info/refs")
async def advertise(
    owner: str, name: str, request: Request, services: ServicesDep, caller: OptionalCaller, service: str = ""
) -> Response:
    """What a fetch or a push begins with: the refs. A repository that a push may create looks like an empty one."""
    return await _answer(partial(_advertise, request, services, caller, owner, name, service))


@router.post("/{owner}/{name}.git/git-upload-pack")
async def upload_pack(owner: str, name: str, request: Request, services: ServicesDep, caller: OptionalCaller) -> Response:
    """A fetch."""
    return await _answer(partial(_fetch, request, services, caller, owner, name))


@router.post("/{owner}/{name}.git/git-receive-pack")
async def receive_pack(owner: str, name: str, request: Request, services: ServicesDep, caller: OptionalCaller) -> Response:
    """A push; the first to a repository under the caller's own name creates it."""
    return await _answer(partial(_push, request, services, caller, owner, name))


async def _answer(prepare: Callable[[], Response]) -> Response:
    """What `prepare` (blocking) decides; a refusal as text, since git shows its user that and not JSON."""
    try:
        git_program()
        return await run_in_threadpool(prepare)
    except (GitMissing, HookMissing) as error:
        refusal = Refusal("unavailable", error.message, error.hint)
    except Refusal as error:
        refusal = error
    status = ERRORS[refusal.code][0]
    headers = {"WWW-Authenticate": 'Basic realm="lepton"'} if status == 401 else {}
    return PlainTextResponse(f"{refusal}\n", status, headers)


def _advertise(request: Request, services: Services, caller: Caller | None, owner: str, name: str, wanted: str) -> Response:
    if wanted not in list(GitService):
        raise Refusal("forbidden", "This server speaks git's smart HTTP protocol only.", "Use git itself, 1.6.6 or newer.")
    service = GitService(wanted)
    found = _admit(services, caller, owner, name, service)
    directory = _directory(services, found) if found else GitRoot(services.settings.git_root).empty
    environment = _environment(request, services, directory, "info/refs", service, caller)
    return BackendResponse(environment, Handling(bounds=services.settings.git_bounds))


def _fetch(request: Request, services: Services, caller: Caller | None, owner: str, name: str) -> Response:
    service = GitService.FETCH
    found = _admit(services, caller, owner, name, service)
    assert found is not None  # only a push may create
    directory = _directory(services, found)
    environment = _environment(request, services, directory, service, service, caller)
    return BackendResponse(environment, Handling(services.settings.data, services.settings.git_bounds))


def _push(request: Request, services: Services, caller: Caller | None, owner: str, name: str) -> Response:
    service = GitService.PUSH
    GitRoot(services.settings.git_root).check_hook()
    found = _admit(services, caller, owner, name, service)
    repository = found if found else _create(services, caller, owner, name)
    directory = _directory(services, repository)
    environment = _environment(request, services, directory, service, service, caller)
    assert caller is not None  # or `_admit` would have refused
    turn = partial(services.push_turns.turn, caller.name, _PATIENCE_SECONDS)
    fruitless = services.fruitless_pushes
    return PushResponse(
        environment,
        hosted_receiver(services.database, services.settings, repository, directory, caller),
        services.settings.data,
        turn,
        partial(fruitless.modest_after, caller.name),
        partial(fruitless.note, caller.name),
    )


def _admit(services: Services, caller: Caller | None, owner: str, name: str, service: GitService) -> Repository | None:
    """The repository, or None where a push of the caller's may create it. Raises Refusal."""
    with services.database.read() as connection:
        found = permissions.located(connection, caller, owner, name)
        if found is None and service is GitService.PUSH and caller and registry.may_create(connection, caller, owner, name):
            return None
        permissions.require(connection, caller, found, service.action)
    if found is not None and found.kind != "hosted":
        raise Refusal("conflict", f"The git history of {found.full_name} is not hosted here.", "Push git to where it is hosted.")
    return found


def _create(services: Services, caller: Caller | None, owner: str, name: str) -> Repository:
    assert caller is not None  # _admit lets nobody else come here
    with services.database.write() as connection:
        return registry.create(connection, caller, owner, name)


def _directory(services: Services, repository: Repository) -> Path:
    """Where git finds this repository; made if it is not there yet. Raises Refusal where it is another's."""
    directory = registry.git_directory(services.settings, repository).absolute()
    create_bare(directory)
    with services.database.read() as connection:
        folder_marks.check(connection, services.settings, repository)
    return directory


def _environment(
    request: Request, services: Services, directory: Path, path: str, service: GitService, caller: Caller | None
) -> dict[str, str]:
    pusher = caller.name if caller and service is GitService.PUSH else None
    return backend_environment(request, directory, path, GitRoot(services.settings.git_root).settings(), pusher)
