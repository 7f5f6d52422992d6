"""The tables as the embedded server had them before there were teams: accounts, repositories, packs, encodings, uploads."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from lepton_server.database.migrations.columns import Digest, Row, Unsigned64

revision = "0003"
down_revision = None
branch_labels = None
depends_on = None

HAS_BASE = sa.text("base IS NOT NULL")


def upgrade() -> None:
    op.create_table("schema", sa.Column("version", sa.Integer(), nullable=False))
    op.create_table(
        "tenants",
        sa.Column("id", Row, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "accounts",
        sa.Column("id", Row, autoincrement=True, nullable=False),
        sa.Column("tenant", Row, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("folded", sa.String(length=255), nullable=False),
        sa.Column("kind", sa.String(length=255), nullable=False),
        sa.Column("admin", sa.Boolean(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("disabled", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("folded"),
    )
    op.create_table(
        "objects",
        sa.Column("id", Row, autoincrement=True, nullable=False),
        sa.Column("tenant", Row, nullable=False),
        sa.Column("oid", Digest(32), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("manifest_digest", Digest(32), nullable=False),
        sa.Column("manifest", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("tenant", "oid", "manifest_digest"),
    )
    op.create_table(
        "repositories",
        sa.Column("id", Row, autoincrement=True, nullable=False),
        sa.Column("tenant", Row, nullable=False),
        sa.Column("owner", Row, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("folded", sa.String(length=255), nullable=False),
        sa.Column("kind", sa.String(length=255), nullable=False),
        sa.Column("visibility", sa.String(length=255), nullable=False),
        sa.Column("codecs", sa.String(length=255), nullable=False),
        sa.Column("default_branch", sa.String(length=255), nullable=True),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["owner"], ["accounts.id"]),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("owner", "folded"),
    )
    op.create_table(
        "tokens",
        sa.Column("id", Row, autoincrement=True, nullable=False),
        sa.Column("account", Row, nullable=False),
        sa.Column("digest", Digest(32), nullable=False),
        sa.Column("label", sa.String(length=255), nullable=False),
        sa.Column("scopes", sa.String(length=255), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=True),
        sa.Column("last_used", sa.BigInteger(), nullable=True),
        sa.Column("revoked", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
    )
    op.create_table(
        "chunk_links",
        sa.Column("repository", Row, nullable=False),
        sa.Column("chunk", Digest(32), nullable=False),
        sa.ForeignKeyConstraint(["repository"], ["repositories.id"]),
        sa.PrimaryKeyConstraint("repository", "chunk"),
        sqlite_with_rowid=False,
    )
    op.create_index("repositories_of_chunk", "chunk_links", ["chunk"])
    op.create_table(
        "grants",
        sa.Column("repository", Row, nullable=False),
        sa.Column("account", Row, nullable=False),
        sa.Column("role", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"]),
        sa.ForeignKeyConstraint(["repository"], ["repositories.id"]),
        sa.PrimaryKeyConstraint("repository", "account"),
    )
    op.create_index("grants_of_account", "grants", ["account"])
    op.create_table(
        "object_links",
        sa.Column("repository", Row, nullable=False),
        sa.Column("oid", Digest(32), nullable=False),
        sa.Column("object", Row, nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["object"], ["objects.id"]),
        sa.ForeignKeyConstraint(["repository"], ["repositories.id"]),
        sa.PrimaryKeyConstraint("repository", "oid"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "packs",
        sa.Column("id", Row, autoincrement=True, nullable=False),
        sa.Column("tenant", Row, nullable=False),
        sa.Column("repository", Row, nullable=False),
        sa.Column("uploader", Row, nullable=False),
        sa.Column("name", Digest(32), nullable=False),
        sa.Column("storage_key", sa.String(length=255), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=255), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("condemned_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["repository"], ["repositories.id"]),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"]),
        sa.ForeignKeyConstraint(["uploader"], ["accounts.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("storage_key"),
    )
    op.create_index("packs_by_name", "packs", ["tenant", "name"])
    op.create_table(
        "redirects",
        sa.Column("owner_folded", sa.String(length=255), nullable=False),
        sa.Column("name_folded", sa.String(length=255), nullable=False),
        sa.Column("repository", Row, nullable=False),
        sa.ForeignKeyConstraint(["repository"], ["repositories.id"]),
        sa.PrimaryKeyConstraint("owner_folded", "name_folded"),
    )
    op.create_table(
        "refs",
        sa.Column("repository", Row, nullable=False),
        sa.Column("name", sa.String(length=4096), nullable=False),
        sa.Column("target", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(["repository"], ["repositories.id"]),
        sa.PrimaryKeyConstraint("repository", "name"),
    )
    op.create_table(
        "uploads",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("repository", Row, nullable=False),
        sa.Column("account", Row, nullable=False),
        sa.Column("state", sa.String(length=255), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("verified_bytes", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"]),
        sa.ForeignKeyConstraint(["repository"], ["repositories.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("uploads_by_state", "uploads", ["state"])
    op.create_table(
        "encodings",
        sa.Column("tenant", Row, nullable=False),
        sa.Column("chunk", Digest(32), nullable=False),
        sa.Column("pack", Row, nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("stored", sa.Integer(), nullable=False),
        sa.Column("raw", sa.Integer(), nullable=False),
        sa.Column("codec", sa.Integer(), nullable=False),
        sa.Column("depth", sa.Integer(), nullable=False),
        sa.Column("base", Digest(32), nullable=True),
        sa.Column("checksum", Unsigned64(), nullable=False),
        sa.ForeignKeyConstraint(["pack"], ["packs.id"]),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant", "chunk"),
        sqlite_with_rowid=False,
    )
    op.create_index("encodings_of_pack", "encodings", ["pack"])
    op.create_table(
        "jobs",
        sa.Column("upload", sa.String(length=64), nullable=False),
        sa.Column("owner", sa.String(length=255), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["upload"], ["uploads.id"]),
        sa.PrimaryKeyConstraint("upload"),
    )
    op.create_table(
        "leases",
        sa.Column("pack", Row, nullable=False),
        sa.Column("upload", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["pack"], ["packs.id"]),
        sa.ForeignKeyConstraint(["upload"], ["uploads.id"]),
        sa.PrimaryKeyConstraint("pack", "upload"),
    )
    op.create_index("leases_of_upload", "leases", ["upload"])
    op.create_table(
        "upload_failures",
        sa.Column("upload", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("code", sa.String(length=255), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["upload"], ["uploads.id"]),
        sa.PrimaryKeyConstraint("upload", "subject"),
    )
    op.create_table(
        "upload_manifests",
        sa.Column("upload", sa.String(length=64), nullable=False),
        sa.Column("oid", Digest(32), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("manifest", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["upload"], ["uploads.id"]),
        sa.PrimaryKeyConstraint("upload", "oid"),
    )
    op.create_table(
        "upload_packs",
        sa.Column("upload", sa.String(length=64), nullable=False),
        sa.Column("name", Digest(32), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("pack", Row, nullable=True),
        sa.ForeignKeyConstraint(["pack"], ["packs.id"]),
        sa.ForeignKeyConstraint(["upload"], ["uploads.id"]),
        sa.PrimaryKeyConstraint("upload", "name"),
    )
    places_of_deltas()


def places_of_deltas() -> None:
    """What versions 2 and 3 brought: who lies on a base, where chunks lay before they moved, files without a row."""
    op.create_table(
        "stray_files",
        sa.Column("storage_key", sa.String(length=255), nullable=False),
        sa.Column("noticed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("storage_key"),
    )
    op.create_index("encodings_on_base", "encodings", ["tenant", "base"], sqlite_where=HAS_BASE, postgresql_where=HAS_BASE)
    op.create_table(
        "former_places",
        sa.Column("pack", Row, nullable=False),
        sa.Column("offset", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("stored", sa.Integer(), nullable=False),
        sa.Column("chunk", Digest(32), nullable=False),
        sa.Column("base", Digest(32), nullable=True),
        sa.ForeignKeyConstraint(["pack"], ["packs.id"]),
        sa.PrimaryKeyConstraint("pack", "offset"),
        sqlite_with_rowid=False,
    )
