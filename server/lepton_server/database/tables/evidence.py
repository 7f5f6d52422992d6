"""Evidence of commits and of versions of models, and the versions that branches accepted."""

from __future__ import annotations

from sqlalchemy import Column, Index, LargeBinary, String, Table, Text

from lepton_server.database.tables.columns import count, digest, metadata, number, short_text, to

evidence = Table(  # what a check said of one commit (of one check the last word counts), or a record about a version of a model
    "evidence",
    metadata,
    number(),
    to("repository", "repositories"),
    short_text("subject"),  # the commit's object name, 40 digits, or the digest of the version in hex, 64
    short_text("check"),  # the check's name, or the evaluation's
    short_text("outcome"),  # passed, failed; recorded, waived
    Column("detail", Text, nullable=False),  # a sentence for people
    to("account", "accounts"),  # who brought it; of a record who vouched for it with the trust that it has
    count("created"),
    short_text("kind", server_default="commit"),  # commit, evaluation, waiver; what follows is NULL for a commit
    short_text("model", nullable=True),  # its name
    digest("evaluation", nullable=True),  # the evaluation's digest
    digest("environment", nullable=True),  # SHA-256 of the environment class
    short_text("trust", nullable=True),  # self, ci
    digest("record_name", nullable=True),  # SHA-256 of `record`
    Column("record", LargeBinary, nullable=True),  # as it was sent, at most 8 MiB
    Index("evidence_of_subject", "repository", "subject"),
    Index("evidence_by_name", "repository", "record_name", unique=True),
)
accepted_versions = Table(  # versions of models that a ref was moved to with all gates satisfied
    "accepted_versions",
    metadata,
    number(),
    to("repository", "repositories"),
    Column("ref", String(4096), nullable=False),
    short_text("model"),
    digest("digest"),
    to("account", "accounts"),
    count("created"),
    Index("accepted_versions_of", "repository", "digest"),
)
