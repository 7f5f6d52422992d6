"""The database's schema: which rows there are. What they mean is said beside the code that writes them.

Names of content are 32 raw bytes. Times are milliseconds of the database's clock. Whatever holds content has a tenant, or
belongs to a repository, which has one: nothing is ever looked up across tenants.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
)

SCHEMA_VERSION = 4  # the newest migration of `migrations/versions`; what each brought is said there
metadata = MetaData()
Row = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows only in columns that are called INTEGER


class Digest(LargeBinary):
    """A name of content. Drivers take and give bytes: there is nothing to convert, 50,000 times in one plan."""

    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> None:  # noqa: ARG002
        return None

    def result_processor(self, dialect: Dialect, coltype: object) -> None:  # noqa: ARG002
        return None


class Unsigned64(TypeDecorator[int]):
    """An unsigned number of 64 bits, kept as the signed one of the same bits."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        return value if value is None or value < 1 << 63 else value - (1 << 64)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        return value if value is None else int(value) & 0xFFFFFFFFFFFFFFFF


def _number() -> Column[int]:
    return Column("id", Row, primary_key=True, autoincrement=True)


def _to(name: str, table: str, **options: Any) -> Column[int]:
    return Column(name, Row, ForeignKey(f"{table}.id"), nullable=options.pop("nullable", False), **options)


def _digest(name: str, **options: Any) -> Column[bytes]:
    return Column(name, Digest(32), nullable=options.pop("nullable", False), **options)


def _text(name: str, **options: Any) -> Column[str]:
    return Column(name, String(255), nullable=options.pop("nullable", False), **options)


def _count(name: str, **options: Any) -> Column[int]:
    return Column(name, BigInteger, nullable=options.pop("nullable", False), **options)


def _of_upload() -> Column[str]:
    return Column("upload", String(64), ForeignKey("uploads.id"), primary_key=True)


_HAS_BASE = text("base IS NOT NULL")
schema = Table(  # one row; `oldest` is the oldest SCHEMA_VERSION of a program that may still use these tables
    "schema", metadata, Column("version", Integer, nullable=False), Column("oldest", Integer, nullable=True)
)
facts = Table(  # what all processes share and nobody configures: the server's identity, the key that signs transfer URLs
    "facts", metadata, _text("name", primary_key=True), Column("value", Text, nullable=False)
)
tenants = Table("tenants", metadata, _number(), _text("name", unique=True), _count("quota", nullable=True))
accounts = Table(
    "accounts",
    metadata,
    _number(),
    _to("tenant", "tenants"),
    _text("name"),
    _text("folded", unique=True),  # the name in lower case: two names that differ in case only would share a folder on some disks
    _text("kind"),  # user, organisation, robot
    Column("admin", Boolean, nullable=False),
    _count("created"),
    _count("disabled", nullable=True),
)
members = Table(  # of organisations; `role` is owner or member
    "members",
    metadata,
    _to("organisation", "accounts", primary_key=True),
    _to("account", "accounts", primary_key=True),
    _text("role"),
    Index("memberships_of_account", "account"),
)
teams = Table(
    "teams",
    metadata,
    _number(),
    _to("organisation", "accounts"),
    _text("name"),
    _text("folded"),
    _count("created"),
    UniqueConstraint("organisation", "folded"),
)
team_members = Table(
    "team_members",
    metadata,
    _to("team", "teams", primary_key=True),
    _to("account", "accounts", primary_key=True),
    Index("teams_of_account", "account"),
)
tokens = Table(
    "tokens",
    metadata,
    _number(),
    _to("account", "accounts"),
    _digest("digest", unique=True),
    _text("label"),
    _text("scopes"),  # of read, write, evidence, admin; joined by commas; "" (from before there were scopes): all
    _count("created"),
    _count("expires", nullable=True),
    _count("last_used", nullable=True),
    _count("revoked", nullable=True),
    Column("limited", Boolean, nullable=False, server_default=false()),  # to the repositories of token_repositories
    Index("tokens_of_account", "account"),
)
repositories = Table(
    "repositories",
    metadata,
    _number(),
    _to("tenant", "tenants"),
    _to("owner", "accounts"),
    _text("name"),
    _text("folded"),
    _text("kind"),  # hosted, external
    _text("visibility"),  # private, internal, public
    _text("codecs"),  # ids, joined by commas
    _text("default_branch", nullable=True),
    _count("created"),
    _count("quota", nullable=True),  # bytes; NULL: none of its own
    _count("stored", nullable=True),  # bytes of its own unique encodings, counted as they are linked; NULL: to be counted anew
    Column("forked_from", Row, nullable=True),  # a repository's number; it may be gone
    _text("git_folder", nullable=True),  # below the root of git repositories; NULL: OWNER/NAME.git as it was first called
    UniqueConstraint("owner", "folded"),
)
token_repositories = Table(
    "token_repositories",
    metadata,
    _to("token", "tokens", primary_key=True),
    _to("repository", "repositories", primary_key=True),
)
redirects = Table(
    "redirects",
    metadata,
    _text("owner_folded", primary_key=True),
    _text("name_folded", primary_key=True),
    _to("repository", "repositories"),
)
grants = Table(
    "grants",
    metadata,
    _to("repository", "repositories", primary_key=True),
    _to("account", "accounts", primary_key=True),
    _text("role"),
    Index("grants_of_account", "account"),
)
team_grants = Table(
    "team_grants",
    metadata,
    _to("repository", "repositories", primary_key=True),
    _to("team", "teams", primary_key=True),
    _text("role"),
    Index("grants_of_team", "team"),
)
rules = Table(  # of branches and tags; a ref that several patterns match has to satisfy all of them
    "rules",
    metadata,
    _number(),
    _to("repository", "repositories"),
    Column("pattern", String(1024), nullable=False),  # of full ref names: refs/heads/main, refs/tags/v*
    _text("push"),  # the least role that may move it
    _text("force"),  # the least role that may move it elsewhere than forward, or delete it; "nobody": none may
    Column("evidence", Text, nullable=False),  # names of checks that must have passed for a new tip, joined by commas
    _count("created"),
    UniqueConstraint("repository", "pattern"),
)
evidence = Table(  # what a check said of one commit; the last word counts
    "evidence",
    metadata,
    _number(),
    _to("repository", "repositories"),
    _text("subject"),  # the commit's object name
    _text("check"),
    _text("outcome"),  # passed, failed
    Column("detail", Text, nullable=False),
    _to("account", "accounts"),
    _count("created"),
    Index("evidence_of_subject", "repository", "subject"),
)
locks = Table(
    "locks",
    metadata,
    _number(),
    _to("repository", "repositories"),
    Column("path", String(4096), nullable=False),
    _to("account", "accounts"),
    _count("created"),
    UniqueConstraint("repository", "path"),
)
shares = Table(  # links to files of one version for people without an account
    "shares",
    metadata,
    _number(),
    _digest("digest", unique=True),  # SHA-256 of the link's secret
    _to("repository", "repositories"),
    _to("account", "accounts"),
    Column("revision", Text, nullable=False),  # what was asked for, to show it
    _count("created"),
    _count("expires", nullable=True),
    _count("max_downloads", nullable=True),  # of each file
    _count("revoked", nullable=True),
    Index("shares_of_repository", "repository"),
)
share_files = Table(
    "share_files",
    metadata,
    _to("share", "shares", primary_key=True),
    Column("path", String(4096), primary_key=True),
    _digest("oid"),
    _count("size"),
    _count("downloads"),
)
packs = Table(
    "packs",
    metadata,
    _number(),
    _to("tenant", "tenants"),
    _to("repository", "repositories"),
    _to("uploader", "accounts"),
    _digest("name"),
    _text("storage_key", unique=True),
    _count("size"),
    _text("state"),  # received, verified, condemned
    _count("received"),
    _count("condemned_at", nullable=True),
    Index("packs_by_name", "tenant", "name"),
)
encodings = Table(
    "encodings",
    metadata,
    _to("tenant", "tenants", primary_key=True),
    _digest("chunk", primary_key=True),
    _to("pack", "packs"),
    _count("offset"),
    Column("stored", Integer, nullable=False),
    Column("raw", Integer, nullable=False),
    Column("codec", Integer, nullable=False),
    Column("depth", Integer, nullable=False),
    _digest("base", nullable=True),
    Column("checksum", Unsigned64, nullable=False),
    Index("encodings_of_pack", "pack"),
    Index("encodings_on_base", "tenant", "base", sqlite_where=_HAS_BASE, postgresql_where=_HAS_BASE),
    sqlite_with_rowid=False,
)
former_places = Table(  # where chunks lay when a plan was made: good for reading until the pack goes
    "former_places",
    metadata,
    _to("pack", "packs", primary_key=True),
    _count("offset", primary_key=True, autoincrement=False),
    Column("stored", Integer, nullable=False),
    _digest("chunk"),
    _digest("base", nullable=True),  # that the payload which lies there needs, whatever the chunk lies on now
    sqlite_with_rowid=False,
)
stray_files = Table(  # keys in the store that no pack has, and when that was first seen
    "stray_files",
    metadata,
    _text("storage_key", primary_key=True),
    _count("noticed"),
)
chunk_links = Table(
    "chunk_links",
    metadata,
    _to("repository", "repositories", primary_key=True),
    _digest("chunk", primary_key=True),
    Index("repositories_of_chunk", "chunk"),
    sqlite_with_rowid=False,
)
objects = Table(
    "objects",
    metadata,
    _number(),
    _to("tenant", "tenants"),
    _digest("oid"),
    _count("size"),
    _digest("manifest_digest"),  # SHA-256 of the manifest
    Column("manifest", LargeBinary, nullable=False),
    UniqueConstraint("tenant", "oid", "manifest_digest"),
)
object_links = Table(
    "object_links",
    metadata,
    _to("repository", "repositories", primary_key=True),
    _digest("oid", primary_key=True),
    _to("object", "objects"),
    _count("created"),
    _count("counted_on", nullable=True),  # when a push last heard that it is there; NULL: never since it was made
    sqlite_with_rowid=False,
)
uploads = Table(
    "uploads",
    metadata,
    Column("id", String(64), primary_key=True),
    _to("repository", "repositories"),
    _to("account", "accounts"),
    _text("state"),  # open, verifying, done, failed
    _count("created"),
    _count("expires"),
    _count("verified_bytes"),
    Column("token", Row, nullable=True),  # that it was opened with: whose scopes and limits count
    Index("uploads_by_state", "state"),
)
upload_packs = Table(
    "upload_packs",
    metadata,
    _of_upload(),
    _digest("name", primary_key=True),
    _count("sequence"),
    _to("pack", "packs", nullable=True),  # NULL: refused, or of no use because all of its chunks were there
)
upload_manifests = Table(
    "upload_manifests",
    metadata,
    _of_upload(),
    _digest("oid", primary_key=True),
    _count("size"),
    Column("manifest", LargeBinary, nullable=False),
)
upload_failures = Table(
    "upload_failures",
    metadata,
    _of_upload(),
    _text("subject", primary_key=True),
    _text("code"),
    Column("message", Text, nullable=False),
)
leases = Table(  # a lease lasts as long as its upload does: until uploads.expires
    "leases",
    metadata,
    _to("pack", "packs", primary_key=True),
    _of_upload(),
    Index("leases_of_upload", "upload"),
)
jobs = Table(
    "jobs",
    metadata,
    _of_upload(),
    _text("owner"),
    _count("expires"),
)
refs = Table(
    "refs",
    metadata,
    _to("repository", "repositories", primary_key=True),
    Column("name", String(4096), primary_key=True),
    _text("target"),
)
pending_packs = Table(  # packs on their way to a store that clients reach themselves
    "pending_packs",
    metadata,
    _of_upload(),
    _digest("name", primary_key=True),
    _text("storage_key", unique=True),
    _count("size"),
    _count("sequence"),
    _count("created"),
)
tombstones = Table(  # weights that were taken away: what their pointers now stand for
    "tombstones",
    metadata,
    _number(),
    _to("tenant", "tenants"),
    _to("repository", "repositories", nullable=True),  # NULL: nowhere in the tenant, and not to be uploaded again
    _digest("oid"),
    _count("size"),
    _text("kind"),  # expired, purged
    Column("reason", Text, nullable=False),
    _text("by"),
    _count("created"),
    Index("tombstones_of_oid", "tenant", "oid"),
)
backups = Table(
    "backups",
    metadata,
    _number(),
    Column("destination", Text, nullable=False),
    _count("started"),
    _count("finished", nullable=True),
    Column("detail", Text, nullable=False),  # JSON
)
processes = Table(  # servers that run, or ran until a moment ago
    "processes",
    metadata,
    Column("id", String(64), primary_key=True),
    _text("host"),
    _count("pid"),
    _text("version"),
    _count("started"),
    _count("seen"),
)
audit = Table(  # rows are only ever added; triggers of the migration see to it
    "audit",
    metadata,
    _number(),
    _count("at"),
    _to("tenant", "tenants", nullable=True),
    _text("account"),  # its name at the time; "" is nobody, "server" whoever runs commands of lepton-server
    _text("token"),  # the label and number of the token
    _text("address"),  # of the client
    _text("action"),  # noun.verb, as in token.create
    _text("repository"),  # OWNER/NAME at the time, or ""
    Column("repository_id", Row, nullable=True),  # the same for good: names move on
    Column("subject", Text, nullable=False),  # what it was done to
    Column("detail", Text, nullable=False),  # JSON
    _text("request"),  # the name of the request
    Index("audit_by_time", "at"),
    Index("audit_of_repository", "repository_id", "at"),
)
