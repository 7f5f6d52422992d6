"""Evidence of versions of models beside that of commits, and which versions a branch accepted. Only adds: version 4 can run on it.

An older server keeps its evidence of commits in the same rows as before, and never looks at the others: it asks by the names of commits,
which are shorter than digests. What it does not do: its quotas do not count these records, its backups leave out what it does not know, and
where it deletes a repository for good, the rows of `accepted_versions` stay: of a number that no other repository gets.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from lepton_server.database.migrations.columns import Digest, Row

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("evidence", sa.Column("kind", sa.String(length=255), nullable=False, server_default="commit"))
    op.add_column("evidence", sa.Column("model", sa.String(length=255), nullable=True))
    op.add_column("evidence", sa.Column("evaluation", Digest(32), nullable=True))
    op.add_column("evidence", sa.Column("environment", Digest(32), nullable=True))
    op.add_column("evidence", sa.Column("trust", sa.String(length=255), nullable=True))
    op.add_column("evidence", sa.Column("record_name", Digest(32), nullable=True))
    op.add_column("evidence", sa.Column("record", sa.LargeBinary(), nullable=True))
    op.create_index("evidence_by_name", "evidence", ["repository", "record_name"], unique=True)
    op.add_column("repositories", sa.Column("evidence_bytes", sa.BigInteger(), nullable=True))
    op.create_table(
        "accepted_versions",
        sa.Column("id", Row, autoincrement=True, nullable=False),
        sa.Column("repository", Row, nullable=False),
        sa.Column("ref", sa.String(length=4096), nullable=False),
        sa.Column("model", sa.String(length=255), nullable=False),
        sa.Column("digest", Digest(32), nullable=False),
        sa.Column("account", Row, nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"]),
        sa.ForeignKeyConstraint(["repository"], ["repositories.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("accepted_versions_of", "accepted_versions", ["repository", "digest"])
