"""Tables of the whole server: its schema, the facts that all processes share, backups, processes, the audit log."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, Table, Text

from lepton_server.database.tables.columns import Row, count, metadata, number, short_text, to

schema = Table(  # one row; `oldest` is the oldest SCHEMA_VERSION of a program that may still use these tables
    "schema", metadata, Column("version", Integer, nullable=False), Column("oldest", Integer, nullable=True)
)
facts = Table(  # what all processes share and nobody configures: the server's identity, the key that signs transfer URLs
    "facts", metadata, short_text("name", primary_key=True), Column("value", Text, nullable=False)
)
backups = Table(
    "backups",
    metadata,
    number(),
    Column("destination", Text, nullable=False),
    count("started"),
    count("finished", nullable=True),
    Column("detail", Text, nullable=False),  # JSON
)
processes = Table(  # servers that run, or ran until a moment ago
    "processes",
    metadata,
    Column("id", String(64), primary_key=True),
    short_text("host"),
    count("pid"),
    short_text("version"),
    count("started"),
    count("seen"),
)
audit = Table(  # rows are only ever added; triggers of the migration see to it
    "audit",
    metadata,
    number(),
    count("at"),
    to("tenant", "tenants", nullable=True),
    short_text("account"),  # its name at the time; "" is nobody, "server" whoever runs commands of lepton-server
    short_text("token"),  # the label and number of the token
    short_text("address"),  # of the client
    short_text("action"),  # noun.verb, as in token.create
    short_text("repository"),  # OWNER/NAME at the time, or ""
    Column("repository_id", Row, nullable=True),  # the same for good: names move on
    Column("subject", Text, nullable=False),  # what it was done to
    Column("detail", Text, nullable=False),  # JSON
    short_text("request"),  # the name of the request
    Index("audit_by_time", "at"),
    Index("audit_of_repository", "repository_id", "at"),
)
