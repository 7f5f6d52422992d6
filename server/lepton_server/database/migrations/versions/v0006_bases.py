"""What repositories hold only as bases, and whose weights the sender of an upload allowed to be. Only adds: version 4 could run on it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from lepton_server.database.migrations.columns import Digest, Row

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "borrowed_chunks",
        sa.Column("repository", Row, nullable=False),
        sa.Column("chunk", Digest(32), nullable=False),
        sa.Column("source", Row, nullable=False),
        sa.Column("allowed", sa.Boolean(), nullable=False),
        sa.Column("account", sa.String(length=255), nullable=False),
        sa.Column("upload", sa.String(length=255), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["repository"], ["repositories.id"]),
        sa.PrimaryKeyConstraint("repository", "chunk"),
        sqlite_with_rowid=False,
    )
    op.create_index("borrowed_by_upload", "borrowed_chunks", ["upload"])
    op.create_table(
        "upload_bases",
        sa.Column("upload", sa.String(length=64), nullable=False),
        sa.Column("repository", Row, nullable=False),
        sa.ForeignKeyConstraint(["repository"], ["repositories.id"]),
        sa.ForeignKeyConstraint(["upload"], ["uploads.id"]),
        sa.PrimaryKeyConstraint("upload", "repository"),
    )
