"""Tables of content: packs, encodings in them, links to what each repository holds, tombstones."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, LargeBinary, Table, Text, UniqueConstraint, text

from lepton_server.database.tables.columns import Row, Unsigned64, count, digest, metadata, number, short_text, to

_HAS_BASE = text("base IS NOT NULL")
packs = Table(
    "packs",
    metadata,
    number(),
    to("tenant", "tenants"),
    to("repository", "repositories"),
    to("uploader", "accounts"),
    digest("name"),
    short_text("storage_key", unique=True),
    count("size"),
    short_text("state"),  # received, verified, condemned
    count("received"),
    count("condemned_at", nullable=True),
    Index("packs_by_name", "tenant", "name"),
)
encodings = Table(
    "encodings",
    metadata,
    to("tenant", "tenants", primary_key=True),
    digest("chunk", primary_key=True),
    to("pack", "packs"),
    count("offset"),
    Column("stored", Integer, nullable=False),
    Column("raw", Integer, nullable=False),
    Column("codec", Integer, nullable=False),
    Column("depth", Integer, nullable=False),
    digest("base", nullable=True),
    Column("checksum", Unsigned64, nullable=False),
    Index("encodings_of_pack", "pack"),
    Index("encodings_on_base", "tenant", "base", sqlite_where=_HAS_BASE, postgresql_where=_HAS_BASE),
    sqlite_with_rowid=False,
)
former_places = Table(  # where chunks lay when a plan was made: good for reading until the pack goes
    "former_places",
    metadata,
    to("pack", "packs", primary_key=True),
    count("offset", primary_key=True, autoincrement=False),
    Column("stored", Integer, nullable=False),
    digest("chunk"),
    digest("base", nullable=True),  # that the payload which lies there needs, whatever the chunk lies on now
    sqlite_with_rowid=False,
)
stray_files = Table(  # keys in the store that no pack has, and when that was first seen
    "stray_files",
    metadata,
    short_text("storage_key", primary_key=True),
    count("noticed"),
)
chunk_links = Table(
    "chunk_links",
    metadata,
    to("repository", "repositories", primary_key=True),
    digest("chunk", primary_key=True),
    Index("repositories_of_chunk", "chunk"),
    sqlite_with_rowid=False,
)
borrowed_chunks = Table(  # chunks that a repository came to hold as bases only, and where from: others hold them too
    "borrowed_chunks",
    metadata,
    to("repository", "repositories", primary_key=True),
    digest("chunk", primary_key=True),
    Column("source", Row, nullable=False),  # a repository's number; it may be gone
    Column("allowed", Boolean, nullable=False),  # by whoever pushed: not all who may read the repository could read the source
    short_text("account"),  # who pushed
    short_text("upload"),  # by which upload; it may be forgotten
    count("created"),
    Index("borrowed_by_upload", "upload"),
    sqlite_with_rowid=False,
)
objects = Table(
    "objects",
    metadata,
    number(),
    to("tenant", "tenants"),
    digest("oid"),
    count("size"),
    digest("manifest_digest"),  # SHA-256 of the manifest
    Column("manifest", LargeBinary, nullable=False),
    UniqueConstraint("tenant", "oid", "manifest_digest"),
)
object_links = Table(
    "object_links",
    metadata,
    to("repository", "repositories", primary_key=True),
    digest("oid", primary_key=True),
    to("object", "objects"),
    count("created"),
    count("counted_on", nullable=True),  # when a push last heard that it is there; NULL: never since it was made
    sqlite_with_rowid=False,
)
tombstones = Table(  # weights that were taken away: what their pointers now stand for
    "tombstones",
    metadata,
    number(),
    to("tenant", "tenants"),
    to("repository", "repositories", nullable=True),  # NULL: nowhere in the tenant, and not to be uploaded again
    digest("oid"),
    count("size"),
    short_text("kind"),  # expired, purged
    Column("reason", Text, nullable=False),
    short_text("by"),
    count("created"),
    Index("tombstones_of_oid", "tenant", "oid"),
)
