"""The database's schema: which rows there are. What they mean is said beside the code that writes them.

Names of content are 32 raw bytes. Times are milliseconds of the database's clock. Whatever holds content has a tenant, or
belongs to a repository, which has one: nothing is ever looked up across tenants.
"""

from __future__ import annotations

from lepton_server.tables.columns import metadata
from lepton_server.tables.content import (
    chunk_links,
    encodings,
    former_places,
    object_links,
    objects,
    packs,
    stray_files,
    tombstones,
)
from lepton_server.tables.people import accounts, members, team_members, teams, tenants, tokens
from lepton_server.tables.repositories import (
    evidence,
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
from lepton_server.tables.server import audit, backups, facts, processes, schema
from lepton_server.tables.uploading import jobs, leases, pending_packs, upload_failures, upload_manifests, upload_packs, uploads

SCHEMA_VERSION = 4  # the newest migration of `migrations/versions`; what each brought is said there
__all__ = [
    "SCHEMA_VERSION",
    "accounts",
    "audit",
    "backups",
    "chunk_links",
    "encodings",
    "evidence",
    "facts",
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
    "upload_failures",
    "upload_manifests",
    "upload_packs",
    "uploads",
]
