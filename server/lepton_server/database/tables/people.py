"""Tables of people: tenants, accounts, organisations, teams, tokens."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Table, UniqueConstraint, false

from lepton_server.database.tables.columns import count, digest, metadata, number, short_text, to

tenants = Table("tenants", metadata, number(), short_text("name", unique=True), count("quota", nullable=True))
accounts = Table(
    "accounts",
    metadata,
    number(),
    to("tenant", "tenants"),
    short_text("name"),
    short_text(
        "folded", unique=True
    ),  # the name in lower case: two names that differ in case only would share a folder on some disks
    short_text("kind"),  # user, organisation, robot
    Column("admin", Boolean, nullable=False),
    count("created"),
    count("disabled", nullable=True),
    count("deleted", nullable=True),  # since when it is as absent; gc makes it gone
)
former_names = (
    Table(  # that accounts had before they were renamed or went: nobody else gets one unless whoever runs the server says so
        "former_names",
        metadata,
        short_text("folded", primary_key=True),
        to("account", "accounts"),
        count("since"),
    )
)
members = Table(  # of organisations; `role` is owner or member
    "members",
    metadata,
    to("organisation", "accounts", primary_key=True),
    to("account", "accounts", primary_key=True),
    short_text("role"),
    Index("memberships_of_account", "account"),
)
teams = Table(
    "teams",
    metadata,
    number(),
    to("organisation", "accounts"),
    short_text("name"),
    short_text("folded"),
    count("created"),
    UniqueConstraint("organisation", "folded"),
)
team_members = Table(
    "team_members",
    metadata,
    to("team", "teams", primary_key=True),
    to("account", "accounts", primary_key=True),
    Index("teams_of_account", "account"),
)
tokens = Table(
    "tokens",
    metadata,
    number(),
    to("account", "accounts"),
    digest("digest", unique=True),
    short_text("label"),
    short_text("scopes"),  # of read, write, evidence, admin; joined by commas; "" (from before there were scopes): all
    count("created"),
    count("expires", nullable=True),
    count("last_used", nullable=True),
    count("revoked", nullable=True),
    Column("limited", Boolean, nullable=False, server_default=false()),  # to the repositories of token_repositories
    Index("tokens_of_account", "account"),
)
