"""Backups of a server, and back (docs/backup-format.md)."""
