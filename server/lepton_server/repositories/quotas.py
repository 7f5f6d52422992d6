"""Quotas: how much a repository, and a tenant, may store.

Each repository is counted as if it were alone: every chunk that it holds with the bytes that its encoding takes, whoever else holds it
too, git's own objects as they lie on the disk, and its records of evidence. A quota that counted less where others have the same would
tell of them.

A repository is counted (`repositories.stored`) from the moment a quota concerns it, and then as chunks are linked. Whoever takes links
away or codes chunks anew calls `forget_count`; it is counted anew when it is next needed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, exists, func, select, update

from git_lepton.errors import LeptonError
from lepton_server.database.tables import chunk_links, encodings, repositories, tenants
from lepton_server.database.transactions import in_batches
from lepton_server.errors import Refusal
from lepton_server.repositories.registry import Repository
from lepton_server.wording import told

EXCEEDED = "quota_exceeded"  # a code of the wire protocol
_NEARLY = 0.9  # of a quota: from here on pushes are warned
_RAISE_HINT = "An admin can raise this quota; or let go of versions that nobody needs."
_EVIDENCE = func.coalesce(repositories.c.evidence_bytes, 0)
_BESIDE = func.coalesce(repositories.c.git_bytes, 0) + _EVIDENCE  # what is no chunk


class QuotaExceeded(LeptonError):
    """What was to be stored is more than there is room for."""


@dataclass(frozen=True)
class Quota:
    """Bytes: what may be stored (None: as much as there is room for), and what is (None: not counted)."""

    limit: int | None
    used: int | None


def of_repository(connection: Connection, repository: Repository) -> Quota:
    """The repository's own quota, counted if there is one or it was counted before."""
    limit, used, _ = _row(connection, repository)
    return Quota(limit, used)


def of_tenant(connection: Connection, tenant: int) -> Quota:
    """A tenant's own quota, and the bytes of its repositories, those together that are counted (all, where it has a quota)."""
    limit = connection.execute(select(tenants.c.quota).where(tenants.c.id == tenant)).scalar_one()
    query = select(func.sum(func.coalesce(repositories.c.stored, 0) + _BESIDE)).where(repositories.c.tenant == tenant)
    return Quota(limit, int(connection.execute(query).scalar_one() or 0))


def added(connection: Connection, repository: Repository, chunks: Iterable[bytes]) -> None:
    """Count chunks that are about to be linked. Raises QuotaExceeded where there is no room for them, and they must not be."""
    quota, stored, tenant_quota = _row(connection, repository)
    if quota is None and tenant_quota is None and stored is None:
        return
    _count_where_needed(connection, repository, tenant_quota is not None)
    new = _new_bytes(connection, repository, chunks)
    if not new:
        return
    here = repositories.c.id == repository.id
    connection.execute(update(repositories).where(here).values(stored=repositories.c.stored + new))
    used = _row(connection, repository)[1]
    assert used is not None  # counted above
    tenant_used = 0 if tenant_quota is None else of_tenant(connection, repository.tenant).used or 0
    _check(repository, quota, used, tenant_quota, tenant_used)


def check_room(connection: Connection, repository: Repository, chunks: Iterable[bytes]) -> None:
    """Raises QuotaExceeded where `added` would; these chunks are not counted."""
    quota, _, tenant_quota = _row(connection, repository)
    if (quota is None and tenant_quota is None) or not (new := _new_bytes(connection, repository, chunks)):
        return
    _count_where_needed(connection, repository, tenant_quota is not None)
    used = _row(connection, repository)[1] or 0
    tenant_used = 0 if tenant_quota is None else of_tenant(connection, repository.tenant).used or 0
    _check(repository, quota, used + new, tenant_quota, tenant_used + new)


def _check(repository: Repository, quota: int | None, used: int, tenant_quota: int | None, tenant_used: int) -> None:
    if quota is not None and used > quota:
        raise QuotaExceeded(
            f"{repository.full_name} may store {told(quota)}; with what was pushed it would be {told(used)}, so nothing of it was stored",
            _RAISE_HINT,
        )
    if tenant_quota is not None and tenant_used > tenant_quota:
        raise QuotaExceeded(
            f"all repositories of the tenant of {repository.full_name} together may store {told(tenant_quota)}; "
            "what was pushed is more than is left, so nothing of it was stored",
            "Whoever runs the server can raise it; or let go of versions that nobody needs.",
        )


def add_evidence(connection: Connection, repository: Repository, size: int) -> None:
    """Count the bytes of a record that is about to be kept. Raises Refusal (quota_exceeded) where there is no room for them."""
    here = repositories.c.id == repository.id
    connection.execute(update(repositories).where(here).values(evidence_bytes=_EVIDENCE + size))
    quota, _, tenant_quota = _row(connection, repository)
    if quota is None and tenant_quota is None:
        return
    _count_where_needed(connection, repository, tenant_quota is not None)
    used = _row(connection, repository)[1] or 0
    tenant_used = 0 if tenant_quota is None else of_tenant(connection, repository.tenant).used or 0
    try:
        _check(repository, quota, used, tenant_quota, tenant_used)
    except QuotaExceeded as error:
        raise Refusal(EXCEEDED, f"{error.message}.", error.hint) from None


def admit(connection: Connection, repository: Repository) -> str:
    """A warning for a push to a repository that is nearly full, "" for none. Raises Refusal (quota_exceeded) where it is full."""
    quota, stored, tenant_quota = _row(connection, repository)
    if quota is None and tenant_quota is None:
        return ""
    if stored is None or tenant_quota is not None:
        _count_where_needed(connection, repository, tenant_quota is not None)
    used = _row(connection, repository)[1] or 0
    tenant_used = of_tenant(connection, repository.tenant).used or 0
    if quota is not None and used >= quota:
        raise Refusal(EXCEEDED, f"{repository.full_name} holds {told(used)} and may store {told(quota)}.", _RAISE_HINT)
    if tenant_quota is not None and tenant_used >= tenant_quota:
        raise Refusal(
            EXCEEDED,
            f"All repositories of the tenant of {repository.full_name} together have used the {told(tenant_quota)} they may store.",
            "Whoever runs the server can raise it; or let go of versions that nobody needs.",
        )
    if quota is not None and used >= _NEARLY * quota:
        return f"{repository.full_name} holds {told(used)} of the {told(quota)} it may store"
    if tenant_quota is not None and tenant_used >= _NEARLY * tenant_quota:
        return (
            f"the repositories of the tenant of {repository.full_name} have nearly used the {told(tenant_quota)} they may store"
        )
    return ""


def note_git(connection: Connection, repository: Repository, size: int) -> None:
    """From now on git's own objects of the repository take so many bytes."""
    connection.execute(update(repositories).where(repositories.c.id == repository.id).values(git_bytes=size))


def concern(connection: Connection, repository: Repository) -> bool:
    """Whether a quota of the repository or of its tenant concerns it."""
    quota, _, tenant_quota = _row(connection, repository)
    return quota is not None or tenant_quota is not None


def git_refusal(connection: Connection, repository: Repository, more: int) -> str:
    """The text for who pushes `more` bytes of git's own objects; empty where there is room for them. For where a quota concerns it."""
    quota, _, tenant_quota = _row(connection, repository)
    _count_where_needed(connection, repository, tenant_quota is not None)
    used = _row(connection, repository)[1] or 0
    if quota is not None and used + more > quota:
        return (
            f"lepton: this push was refused: {repository.full_name} may store {told(quota)} and holds {told(used)}; "
            f"git's own objects of this push take {told(more)} more.\n{_RAISE_HINT}\n"
        )
    if tenant_quota is not None and (of_tenant(connection, repository.tenant).used or 0) + more > tenant_quota:
        return (
            f"lepton: this push was refused: all repositories of the tenant of {repository.full_name} together may store "
            f"{told(tenant_quota)}; git's own objects of this push, {told(more)}, are more than is left.\n{_RAISE_HINT}\n"
        )
    return ""


def set_for_repository(connection: Connection, repository: Repository, limit: int | None) -> None:
    """From now on the repository may store so much; what is there stays. None: as much as there is room for."""
    stored = None if limit is None else _counted(connection, repository.id)
    here = repositories.c.id == repository.id
    connection.execute(update(repositories).where(here).values(quota=limit, stored=stored))


def set_for_tenant(connection: Connection, tenant: int, limit: int | None) -> None:
    """From now on all repositories of a tenant together, each counted on its own, may store so much; what is there stays. None: as much as
    there is room for."""
    connection.execute(update(tenants).where(tenants.c.id == tenant).values(quota=limit))
    if limit is not None:
        _count_all(connection, tenant)


def forget_count(connection: Connection, tenant: int) -> None:
    """What the repositories of a tenant hold has changed otherwise than by a push: count it anew when it is next needed."""
    counted = (repositories.c.tenant == tenant) & repositories.c.stored.is_not(None)
    connection.execute(update(repositories).where(counted).values(stored=None))


def recount(connection: Connection, repository: int) -> int:
    """Count a repository now, and from now on; its bytes."""
    stored = _counted(connection, repository)
    connection.execute(update(repositories).where(repositories.c.id == repository).values(stored=stored))
    return stored


def _row(connection: Connection, repository: Repository) -> tuple[int | None, int | None, int | None]:
    """Quota and counted bytes of the repository, quota of its tenant."""
    query = select(repositories.c.quota, repositories.c.stored + _BESIDE, tenants.c.quota)
    query = query.join(tenants, tenants.c.id == repositories.c.tenant).where(repositories.c.id == repository.id)
    quota, stored, tenant_quota = connection.execute(query).one()
    return quota, stored, tenant_quota


def _count_where_needed(connection: Connection, repository: Repository, whole_tenant: bool) -> None:
    if whole_tenant:
        _count_all(connection, repository.tenant)
    elif _row(connection, repository)[1] is None:
        recount(connection, repository.id)


def _count_all(connection: Connection, tenant: int) -> None:
    uncounted = (repositories.c.tenant == tenant) & repositories.c.stored.is_(None)
    for repository in connection.execute(select(repositories.c.id).where(uncounted)).scalars().all():
        recount(connection, repository)


def _counted(connection: Connection, repository: int) -> int:
    stored_here = (encodings.c.tenant == repositories.c.tenant) & (encodings.c.chunk == chunk_links.c.chunk)
    query = select(func.sum(encodings.c.stored)).select_from(chunk_links)
    query = query.join(repositories, repositories.c.id == chunk_links.c.repository).join(encodings, stored_here)
    return int(connection.execute(query.where(chunk_links.c.repository == repository)).scalar_one() or 0)


def _new_bytes(connection: Connection, repository: Repository, chunks: Iterable[bytes]) -> int:
    """Bytes of those of these chunks that the repository does not hold yet."""
    linked = exists().where(chunk_links.c.repository == repository.id, chunk_links.c.chunk == encodings.c.chunk)
    query = select(func.sum(encodings.c.stored)).where(encodings.c.tenant == repository.tenant, ~linked)
    batches = in_batches(sorted(set(chunks)))
    return sum(int(connection.execute(query.where(encodings.c.chunk.in_(batch))).scalar_one() or 0) for batch in batches)
