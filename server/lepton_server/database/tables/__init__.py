"""The database's schema: which rows there are. What they mean is said beside the code that writes them.

Names of content are 32 raw bytes. Times are milliseconds of the database's clock. Whatever holds content has a tenant, or
belongs to a repository, which has one: nothing is ever looked up across tenants.
"""

from __future__ import annotations

from lepton_server.database.tables.columns import metadata
from lepton_server.database.tables.content import (
    borrowed_chunks,
    chunk_links,
    encodings,
    former_places,
    object_links,
    objects,
    packs,
    stray_files,
    tombstones,
)
from lepton_server.database.tables.evidence import accepted_versions, evidence
from lepton_server.database.tables.people import accounts, former_names, members, team_members, teams, tenants, tokens
from lepton_server.database.tables.repositories import (
    grants,
    locks,
    redirects,
    refs,
    repositories,
    rules,
    share_files,
    shares,
    team_grants,
    token_repositories,
)
from lepton_server.database.tables.server import audit, backups, facts, processes, schema
from lepton_server.database.tables.uploading import (
    jobs,
    leases,
    pending_packs,
    upload_bases,
    upload_failures,
    upload_manifests,
    upload_packs,
    uploads,
)

SCHEMA_VERSION = 8  # the newest migration of `migrations/versions`; what each brought is said there
__all__ = [
    "SCHEMA_VERSION",
    "accepted_versions",
    "accounts",
    "audit",
    "backups",
    "borrowed_chunks",
    "chunk_links",
    "encodings",
    "evidence",
    "facts",
    "former_names",
    "former_places",
    "grants",
    "jobs",
    "leases",
    "locks",
    "members",
    "metadata",
    "object_links",
    "objects",
    "packs",
    "pending_packs",
    "processes",
    "redirects",
    "refs",
    "repositories",
    "rules",
    "schema",
    "share_files",
    "shares",
    "stray_files",
    "team_grants",
    "team_members",
    "teams",
    "tenants",
    "token_repositories",
    "tokens",
    "tombstones",
    "upload_bases",
    "upload_failures",
    "upload_manifests",
    "upload_packs",
    "uploads",
]
