"""What git's own objects of a repository take. Only adds: version 4 could run on it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("repositories", sa.Column("git_bytes", sa.BigInteger(), nullable=True))
