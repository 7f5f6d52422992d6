"""What a team needs: organisations, scopes of tokens, rules, locks, shares, tombstones, audit. Only adds: version 3 could run on it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from lepton_server.database.migrations.columns import Digest, Row

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "backups",
        sa.Column("id", Row, autoincrement=True, nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("started", sa.BigInteger(), nullable=False),
        sa.Column("finished", sa.BigInteger(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "facts",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "processes",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.String(length=255), nullable=False),
        sa.Column("started", sa.BigInteger(), nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "audit",
        sa.Column("id", Row, autoincrement=True, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("tenant", Row, nullable=True),
        sa.Column("account", sa.String(length=255), nullable=False),
        sa.Column("token", sa.String(length=255), nullable=False),
        sa.Column("address", sa.String(length=255), nullable=False),
        sa.Column("action", sa.String(length=255), nullable=False),
        sa.Column("repository", sa.String(length=255), nullable=False),
        sa.Column("repository_id", Row, nullable=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("request", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("audit_by_time", "audit", ["at"])
    op.create_index("audit_of_repository", "audit", ["repository_id", "at"])
    op.create_table(
        "members",
        sa.Column("organisation", Row, nullable=False),
        sa.Column("account", Row, nullable=False),
        sa.Column("role", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"]),
        sa.ForeignKeyConstraint(["organisation"], ["accounts.id"]),
        sa.PrimaryKeyConstraint("organisation", "account"),
    )
    op.create_index("memberships_of_account", "members", ["account"])
    op.create_table(
        "teams",
        sa.Column("id", Row, autoincrement=True, nullable=False),
        sa.Column("organisation", Row, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("folded", sa.String(length=255), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["organisation"], ["accounts.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("organisation", "folded"),
    )
    op.create_table(
        "evidence",
        sa.Column("id", Row, autoincrement=True, nullable=False),
        sa.Column("repository", Row, nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("check", sa.String(length=255), nullable=False),
        sa.Column("outcome", sa.String(length=255), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("account", Row, nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"]),
        sa.ForeignKeyConstraint(["repository"], ["repositories.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("evidence_of_subject", "evidence", ["repository", "subject"])
    op.create_table(
        "locks",
        sa.Column("id", Row, autoincrement=True, nullable=False),
        sa.Column("repository", Row, nullable=False),
        sa.Column("path", sa.String(length=4096), nullable=False),
        sa.Column("account", Row, nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"]),
        sa.ForeignKeyConstraint(["repository"], ["repositories.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("repository", "path"),
    )
    op.create_table(
        "rules",
        sa.Column("id", Row, autoincrement=True, nullable=False),
        sa.Column("repository", Row, nullable=False),
        sa.Column("pattern", sa.String(length=1024), nullable=False),
        sa.Column("push", sa.String(length=255), nullable=False),
        sa.Column("force", sa.String(length=255), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["repository"], ["repositories.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("repository", "pattern"),
    )
    op.create_table(
        "shares",
        sa.Column("id", Row, autoincrement=True, nullable=False),
        sa.Column("digest", Digest(32), nullable=False),
        sa.Column("repository", Row, nullable=False),
        sa.Column("account", Row, nullable=False),
        sa.Column("revision", sa.Text(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=True),
        sa.Column("max_downloads", sa.BigInteger(), nullable=True),
        sa.Column("revoked", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"]),
        sa.ForeignKeyConstraint(["repository"], ["repositories.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
    )
    op.create_index("shares_of_repository", "shares", ["repository"])
    op.create_table(
        "team_grants",
        sa.Column("repository", Row, nullable=False),
        sa.Column("team", Row, nullable=False),
        sa.Column("role", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(["repository"], ["repositories.id"]),
        sa.ForeignKeyConstraint(["team"], ["teams.id"]),
        sa.PrimaryKeyConstraint("repository", "team"),
    )
    op.create_index("grants_of_team", "team_grants", ["team"])
    op.create_table(
        "team_members",
        sa.Column("team", Row, nullable=False),
        sa.Column("account", Row, nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"]),
        sa.ForeignKeyConstraint(["team"], ["teams.id"]),
        sa.PrimaryKeyConstraint("team", "account"),
    )
    op.create_index("teams_of_account", "team_members", ["account"])
    op.create_table(
        "token_repositories",
        sa.Column("token", Row, nullable=False),
        sa.Column("repository", Row, nullable=False),
        sa.ForeignKeyConstraint(["repository"], ["repositories.id"]),
        sa.ForeignKeyConstraint(["token"], ["tokens.id"]),
        sa.PrimaryKeyConstraint("token", "repository"),
    )
    op.create_table(
        "tombstones",
        sa.Column("id", Row, autoincrement=True, nullable=False),
        sa.Column("tenant", Row, nullable=False),
        sa.Column("repository", Row, nullable=True),
        sa.Column("oid", Digest(32), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=255), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", sa.String(length=255), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["repository"], ["repositories.id"]),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("tombstones_of_oid", "tombstones", ["tenant", "oid"])
    op.create_table(
        "pending_packs",
        sa.Column("upload", sa.String(length=64), nullable=False),
        sa.Column("name", Digest(32), nullable=False),
        sa.Column("storage_key", sa.String(length=255), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["upload"], ["uploads.id"]),
        sa.PrimaryKeyConstraint("upload", "name"),
        sa.UniqueConstraint("storage_key"),
    )
    op.create_table(
        "share_files",
        sa.Column("share", Row, nullable=False),
        sa.Column("path", sa.String(length=4096), nullable=False),
        sa.Column("oid", Digest(32), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("downloads", sa.BigInteger(), nullable=False),
        sa.Column("sent", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["share"], ["shares.id"]),
        sa.PrimaryKeyConstraint("share", "path"),
    )
    op.add_column("object_links", sa.Column("counted_on", sa.BigInteger(), nullable=True))
    op.add_column("repositories", sa.Column("quota", sa.BigInteger(), nullable=True))
    op.add_column("repositories", sa.Column("stored", sa.BigInteger(), nullable=True))
    op.add_column("repositories", sa.Column("forked_from", Row, nullable=True))
    op.add_column("repositories", sa.Column("git_folder", sa.String(length=255), nullable=True))
    op.add_column("schema", sa.Column("oldest", sa.Integer(), nullable=True))
    op.add_column("tenants", sa.Column("quota", sa.BigInteger(), nullable=True))
    op.add_column("tokens", sa.Column("limited", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_index("tokens_of_account", "tokens", ["account"])
    op.add_column("uploads", sa.Column("token", Row, nullable=True))
    op.execute("INSERT INTO facts (name, value) VALUES ('moves', '0')")
    for statements in (_KEEP_AUDIT, _COUNT_MOVES):
        for statement in statements[op.get_context().dialect.name]:
            op.execute(statement)


_KEEP_AUDIT = {  # what was noted once stays as it was noted, whoever has the program's rights on the database
    "sqlite": [
        f"CREATE TRIGGER audit_keeps_{what.lower()} BEFORE {what} ON audit "
        "BEGIN SELECT RAISE(ABORT, 'the audit log is only ever added to'); END"
        for what in ("UPDATE", "DELETE")
    ],
    "postgresql": [
        "CREATE FUNCTION audit_is_kept() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the audit log is only ever added to'; END $$",
        "CREATE TRIGGER audit_keeps BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_is_kept()",
    ],
}

_COUNT_MOVES = {  # whoever looked something up learns whether it still is where it was, whichever code moved it
    "sqlite": [
        "CREATE TRIGGER encodings_go AFTER DELETE ON encodings BEGIN UPDATE facts SET value = value + 1 WHERE name = 'moves'; END",
        "CREATE TRIGGER encodings_move AFTER UPDATE OF pack ON encodings "
        "BEGIN UPDATE facts SET value = value + 1 WHERE name = 'moves'; END",
    ],
    "postgresql": [
        "CREATE FUNCTION encodings_moved() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF EXISTS (SELECT FROM before) THEN "
        "UPDATE facts SET value = CAST(CAST(value AS bigint) + 1 AS text) WHERE name = 'moves'; END IF; RETURN NULL; END $$",
        *(
            f"CREATE TRIGGER encodings_{name} AFTER {event} ON encodings REFERENCING OLD TABLE AS before "
            "FOR EACH STATEMENT EXECUTE FUNCTION encodings_moved()"
            for name, event in (("go", "DELETE"), ("move", "UPDATE"))
        ),
    ],
}
