"""Bills: what stored weights take, by tenant and by repository.

`stored` counts each chunk that a repository holds once, with the bytes of its encoding, `raw` with those before coding; `git` is what git's
own objects take. A quota counts `stored` and `git`. `unique` is the part that no other repository of the tenant holds: it tells of others,
and is for whoever runs the server.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, case, exists, func, select

from lepton_server.database.tables import accounts, chunk_links, encodings, object_links, objects, packs, repositories, tenants

_OTHERS = chunk_links.alias("others")
_GIT = func.coalesce(repositories.c.git_bytes, 0) + func.coalesce(repositories.c.evidence_bytes, 0)
_THEIRS = repositories.alias("theirs")


@dataclass(frozen=True)
class RepositoryBill:
    """One repository's: files and chunks that it holds, bytes of the files as they are, and of the chunks as the module says."""

    tenant: str
    repository: str
    quota: int | None
    files: int
    file_bytes: int
    chunks: int
    raw: int
    stored: int
    unique: int
    git: int = 0

    @property
    def shared(self) -> int:
        return self.stored - self.unique


@dataclass(frozen=True)
class TenantBill:
    """One tenant's: `stored` counts a chunk once, `alone` once for each repository that holds it (what its quota counts), `packs` are
    the bytes of all its packs: with what is not needed any more, or not yet."""

    tenant: str
    quota: int | None
    repositories: int
    raw: int
    stored: int
    alone: int
    packs: int
    git: int = 0


def of_repositories(
    connection: Connection, tenant: int | None = None, owner: str | None = None, repository: int | None = None
) -> list[RepositoryBill]:
    """Those of a tenant, an owner, or just one (None: any), by name."""
    query = select(
        repositories.c.id, repositories.c.tenant, tenants.c.name, accounts.c.name, repositories.c.name, repositories.c.quota
    ).add_columns(_GIT)
    query = query.join(tenants, tenants.c.id == repositories.c.tenant).join(accounts, accounts.c.id == repositories.c.owner)
    if tenant is not None:
        query = query.where(repositories.c.tenant == tenant)
    if owner is not None:
        query = query.where(accounts.c.folded == owner.lower())
    if repository is not None:
        query = query.where(repositories.c.id == repository)
    rows = connection.execute(query.order_by(accounts.c.folded, repositories.c.folded)).all()
    return [
        RepositoryBill(of, f"{holder}/{name}", quota, *files_of(connection, number), *_chunks_of(connection, number, home), git)
        for number, home, of, holder, name, quota, git in rows
    ]


def of_tenants(connection: Connection, tenant: int | None = None) -> list[TenantBill]:
    """All, or this one."""
    query = select(tenants.c.id, tenants.c.name, tenants.c.quota).order_by(tenants.c.id)
    rows = connection.execute(query if tenant is None else query.where(tenants.c.id == tenant)).all()
    return [TenantBill(name, quota, *_of_tenant(connection, number)) for number, name, quota in rows]


def files_of(connection: Connection, repository: int) -> tuple[int, int]:
    """Files that a repository holds, and their bytes as they are."""
    query = select(func.count(), func.sum(objects.c.size)).join(object_links, object_links.c.object == objects.c.id)
    count, size = connection.execute(query.where(object_links.c.repository == repository)).one()
    return int(count), int(size or 0)


def chunks_of(connection: Connection, repository: int, tenant: int) -> tuple[int, int, int]:
    """Chunks that a repository holds; their bytes raw and stored."""
    query = select(func.count(), func.sum(encodings.c.raw), func.sum(encodings.c.stored)).select_from(chunk_links)
    query = query.join(encodings, (encodings.c.tenant == tenant) & (encodings.c.chunk == chunk_links.c.chunk))
    count, raw, stored = connection.execute(query.where(chunk_links.c.repository == repository)).one()
    return int(count), int(raw or 0), int(stored or 0)


def counted(connection: Connection) -> list[int]:
    """The repositories that are counted for a quota, by number."""
    return list(connection.execute(select(repositories.c.id).where(repositories.c.stored.is_not(None))).scalars())


def _chunks_of(connection: Connection, repository: int, tenant: int) -> tuple[int, int, int, int]:
    """Chunks that a repository holds; their bytes raw and stored; the stored bytes that no other repository of the tenant holds."""
    held = (_OTHERS.c.chunk == chunk_links.c.chunk) & (_OTHERS.c.repository != repository)
    elsewhere = exists().where(held, _THEIRS.c.id == _OTHERS.c.repository, _THEIRS.c.tenant == tenant)
    shared = func.sum(case((elsewhere, encodings.c.stored), else_=0))
    query = select(shared).select_from(chunk_links)
    query = query.join(encodings, (encodings.c.tenant == tenant) & (encodings.c.chunk == chunk_links.c.chunk))
    both = int(connection.execute(query.where(chunk_links.c.repository == repository)).scalar_one() or 0)
    count, raw, stored = chunks_of(connection, repository, tenant)
    return count, raw, stored, stored - both


def _of_tenant(connection: Connection, tenant: int) -> tuple[int, int, int, int, int, int]:
    own = (_THEIRS.c.id == chunk_links.c.repository) & (_THEIRS.c.tenant == tenant)
    linked = exists().where(chunk_links.c.chunk == encodings.c.chunk, own)
    once = select(func.sum(encodings.c.raw), func.sum(encodings.c.stored)).where(encodings.c.tenant == tenant, linked)
    raw, stored = connection.execute(once).one()
    of_each = select(func.sum(encodings.c.stored)).select_from(chunk_links).join(_THEIRS, own)
    of_each = of_each.join(encodings, (encodings.c.tenant == tenant) & (encodings.c.chunk == chunk_links.c.chunk))
    alone = connection.execute(of_each).scalar_one()
    size = connection.execute(select(func.sum(packs.c.size)).where(packs.c.tenant == tenant)).scalar_one()
    count = connection.execute(select(func.count()).where(repositories.c.tenant == tenant)).scalar_one()
    git = connection.execute(select(func.sum(_GIT)).where(repositories.c.tenant == tenant)).scalar_one()
    return int(count), int(raw or 0), int(stored or 0), int(alone or 0), int(size or 0), int(git or 0)
