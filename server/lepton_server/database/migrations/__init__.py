"""Migrations of the database's schema, step by step (Alembic). A released step is never changed."""
