"""Repositories, who may do what in them, their rules, locks and shares, and the mirror of their refs."""

from __future__ import annotations

from sqlalchemy import Column, Index, String, Table, Text, UniqueConstraint

from lepton_server.database.tables.columns import Row, count, digest, metadata, number, short_text, to

repositories = Table(
    "repositories",
    metadata,
    number(),
    to("tenant", "tenants"),
    to("owner", "accounts"),
    short_text("name"),
    short_text("folded"),
    short_text("kind"),  # hosted, external; going, gone: was deleted, and cannot come back
    short_text("visibility"),  # private, internal, public
    short_text("codecs"),  # ids, joined by commas
    short_text("default_branch", nullable=True),
    count("created"),
    count("quota", nullable=True),  # bytes; NULL: none of its own
    count("stored", nullable=True),  # bytes of its own unique encodings, counted as they are linked; NULL: to be counted anew
    count("git_bytes", nullable=True),  # of git's own objects, as they were after the last push; NULL: not measured yet
    count("evidence_bytes", nullable=True),  # of the records of evidence of versions of models; NULL: none yet
    Column("forked_from", Row, nullable=True),  # a repository's number; it may be gone
    short_text("git_folder", nullable=True),  # below the root of git repositories; NULL: OWNER/NAME.git as it was first called
    count("deleted", nullable=True),  # since when it is as absent; `folded` then is what nothing can be called
    UniqueConstraint("owner", "folded"),
)
token_repositories = Table(
    "token_repositories",
    metadata,
    to("token", "tokens", primary_key=True),
    to("repository", "repositories", primary_key=True),
)
redirects = Table(
    "redirects",
    metadata,
    short_text("owner_folded", primary_key=True),
    short_text("name_folded", primary_key=True),
    to("repository", "repositories"),
)
grants = Table(
    "grants",
    metadata,
    to("repository", "repositories", primary_key=True),
    to("account", "accounts", primary_key=True),
    short_text("role"),
    Index("grants_of_account", "account"),
)
team_grants = Table(
    "team_grants",
    metadata,
    to("repository", "repositories", primary_key=True),
    to("team", "teams", primary_key=True),
    short_text("role"),
    Index("grants_of_team", "team"),
)
rules = Table(  # of branches and tags; a ref that several patterns match has to satisfy all of them
    "rules",
    metadata,
    number(),
    to("repository", "repositories"),
    Column("pattern", String(1024), nullable=False),  # of full ref names: refs/heads/main, refs/tags/v*
    short_text("push"),  # the least role that may move it
    short_text("force"),  # the least role that may move it elsewhere than forward, or delete it; "nobody": none may
    Column("evidence", Text, nullable=False),  # names of checks that must have passed for a new tip, joined by commas
    count("created"),
    UniqueConstraint("repository", "pattern"),
)
locks = Table(
    "locks",
    metadata,
    number(),
    to("repository", "repositories"),
    Column("path", String(4096), nullable=False),
    to("account", "accounts"),
    count("created"),
    UniqueConstraint("repository", "path"),
)
shares = Table(  # links to files of one version for people without an account
    "shares",
    metadata,
    number(),
    digest("digest", unique=True),  # SHA-256 of the link's secret
    to("repository", "repositories"),
    to("account", "accounts"),
    Column("revision", Text, nullable=False),  # what was asked for, to show it
    count("created"),
    count("expires", nullable=True),
    count("max_downloads", nullable=True),  # of each file
    count("revoked", nullable=True),
    Index("shares_of_repository", "repository"),
)
share_files = Table(
    "share_files",
    metadata,
    to("share", "shares", primary_key=True),
    Column("path", String(4096), primary_key=True),
    digest("oid"),
    count("size"),
    count("downloads"),  # that began
    count("sent"),  # bytes, of all that was sent
)
refs = Table(
    "refs",
    metadata,
    to("repository", "repositories", primary_key=True),
    Column("name", String(4096), primary_key=True),
    short_text("target"),
)
