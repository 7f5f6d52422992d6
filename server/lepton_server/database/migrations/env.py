"""Alembic's way in: it gets the connection, and with it the transaction, from `database.schema`."""

from __future__ import annotations

from alembic import context

from lepton_server.database.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
