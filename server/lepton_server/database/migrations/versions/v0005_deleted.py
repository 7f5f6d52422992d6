"""Repositories and accounts that were deleted and may come back, and names that are nobody else's. Only adds: version 4 can run on it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from lepton_server.database.migrations.columns import Row

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "former_names",
        sa.Column("folded", sa.String(length=255), nullable=False),
        sa.Column("account", Row, nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"]),
        sa.PrimaryKeyConstraint("folded"),
    )
    op.add_column("accounts", sa.Column("deleted", sa.BigInteger(), nullable=True))
    op.add_column("repositories", sa.Column("deleted", sa.BigInteger(), nullable=True))
