"""Tables of uploads: sessions, their packs, manifests and failures, leases, jobs of verification."""

from __future__ import annotations

from sqlalchemy import Column, Index, LargeBinary, String, Table, Text

from lepton_server.database.tables.columns import Row, count, digest, metadata, of_upload, short_text, to

uploads = Table(
    "uploads",
    metadata,
    Column("id", String(64), primary_key=True),
    to("repository", "repositories"),
    to("account", "accounts"),
    short_text("state"),  # open, verifying, done, failed
    count("created"),
    count("expires"),
    count("verified_bytes"),
    Column("token", Row, nullable=True),  # that it was opened with: whose scopes and limits count
    Index("uploads_by_state", "state"),
)
upload_packs = Table(
    "upload_packs",
    metadata,
    of_upload(),
    digest("name", primary_key=True),
    count("sequence"),
    to("pack", "packs", nullable=True),  # NULL: refused, or of no use because all of its chunks were there
)
upload_manifests = Table(
    "upload_manifests",
    metadata,
    of_upload(),
    digest("oid", primary_key=True),
    count("size"),
    Column("manifest", LargeBinary, nullable=False),
)
upload_failures = Table(
    "upload_failures",
    metadata,
    of_upload(),
    short_text("subject", primary_key=True),
    short_text("code"),
    Column("message", Text, nullable=False),
)
leases = Table(  # a lease lasts as long as its upload does: until uploads.expires
    "leases",
    metadata,
    to("pack", "packs", primary_key=True),
    of_upload(),
    Index("leases_of_upload", "upload"),
)
jobs = Table(
    "jobs",
    metadata,
    of_upload(),
    short_text("owner"),
    count("expires"),
)
pending_packs = Table(  # packs on their way to a store that clients reach themselves
    "pending_packs",
    metadata,
    of_upload(),
    digest("name", primary_key=True),
    short_text("storage_key", unique=True),
    count("size"),
    count("sequence"),
    count("created"),
)
upload_bases = (
    Table(  # repositories whose weights the sender allowed to be bases of what the upload brings, and so to be published
        "upload_bases",
        metadata,
        of_upload(),
        to("repository", "repositories", primary_key=True),
    )
)
