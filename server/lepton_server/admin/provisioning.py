"""Provisioning: accounts and repositories that an operator makes from the command line, whether the data are being served or not."""

from __future__ import annotations

from collections.abc import Collection

from git_lepton.errors import WrongUse
from git_lepton.format.coding.encoded import RELEASED
from lepton_server.backends import changes, opened
from lepton_server.content import borrowed_bases
from lepton_server.identity import accounts, tenants, tokens
from lepton_server.repositories import grants, registry, renaming
from lepton_server.repositories.naming import announced, known_repository, parted, tenant_of
from lepton_server.settings import ServerSettings


def add_user(settings: ServerSettings, name: str, *, admin: bool = False, kind: str = "user", tenant: str = "default") -> None:
    """Raises WrongUse where the name is taken or malformed, or there is no such tenant."""
    with changes(settings) as connection:
        if accounts.account_id(connection, name) is not None:
            raise WrongUse(f"there is an account {name!r} already", "Choose another name.")
        accounts.ensure_account(connection, name, kind=kind, admin=admin, tenant=tenants.known(connection, tenant))


def new_token(settings: ServerSettings, name: str, label: str = "", days: float | None = None) -> str:
    """A token with all the rights of its account."""
    with changes(settings) as connection:
        return tokens.create_token(connection, accounts.known_account(connection, name), label, days)


def grant(settings: ServerSettings, name: str, role: str, repository: str) -> None:
    """From now on this is the account's role there, whatever it was before. Raises WrongUse."""
    with changes(settings) as connection:
        account, found = accounts.known(connection, name), known_repository(connection, repository)
        grants.grant(connection, accounts.operator(found.tenant), found, account, role)


def create_repository(settings: ServerSettings, repository: str, kind: str, visibility: str = "private") -> list[str]:
    """Made for its owner, who is made too (an organisation of the default tenant) where there is none; what came with that, in
    sentences, or that there is such a one. Raises WrongUse, also where there is another of this name."""
    owner, name = parted(repository)
    with changes(settings) as connection:
        if found := registry.find_exactly(connection, owner, name):
            if (found.kind, found.visibility) != (kind, visibility):
                hint = f"Who may see it is changed by `lepton-server repo visibility {found.full_name} {visibility}`."
                raise WrongUse(registry.already_there(found), hint if found.kind == kind else "Choose another name.")
            return [registry.already_there(found)]
        tenant = tenant_of(connection, owner)
        said = announced(connection, tenant, owner, name)
        registry.create(connection, accounts.operator(tenant), owner, name, kind, visibility)
    return said


def move(settings: ServerSettings, repository: str, owner: str = "", name: str = "") -> list[str]:
    """Rename a repository, or give it to another owner of its tenant; its old name leads to it. What came with that, in sentences.
    Raises WrongUse."""
    with changes(settings) as connection:
        found = known_repository(connection, repository)
        if owner:
            accounts.known(connection, owner)
        if "/" in name:
            hint = f"Another owner is given by `lepton-server repo transfer {found.full_name} {parted(name)[0]}`."
            raise WrongUse(f"a new name has no owner in it, and {name!r} has", hint)
        owner, name = owner or found.owner, name or found.name
        said = announced(connection, found.tenant, owner, name, found)
        moved = renaming.move(connection, accounts.operator(found.tenant), found, owner, name)
        return [*said, *borrowed_bases.shown_to_more(connection, moved)]


def fork(settings: ServerSettings, repository: str, to: str) -> list[str]:
    """Another repository, OWNER/NAME, that holds the same; what came with that, in sentences. Raises WrongUse, Refusal."""
    from lepton_server.git import forks

    owner, name = parted(to)
    with opened(settings) as database:
        with database.read() as connection:
            source = known_repository(connection, repository)
            said = announced(connection, source.tenant, owner, name)
        forks.fork(database, settings, accounts.operator(source.tenant), source, owner, name)
    return said


def codecs(settings: ServerSettings, repository: str, allow: Collection[int] | None = None) -> list[int]:
    """The codec ids that a repository allows, once those of `allow` are added. Raises WrongUse for an id that nobody knows, and
    where one would be taken away: weights that are coded so are there."""
    with changes(settings) as connection:
        found = known_repository(connection, repository)
        if allow is None:
            return sorted(found.codecs)
        if unknown := set(allow) - RELEASED:
            known = ",".join(map(str, sorted(RELEASED)))
            raise WrongUse(f"there is no codec {min(unknown)}", f"This lepton-server knows {known}; a newer one may know more.")
        if lacking := found.codecs - set(allow):
            message = f"codec {min(lacking)} cannot be taken from {found.full_name}: weights there may be coded so"
            raise WrongUse(message, f"Name all: --allow {','.join(map(str, sorted(found.codecs | set(allow))))}")
        registry.allow_codecs(connection, found, allow)
        return sorted(allow)
