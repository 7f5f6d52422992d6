"""The routes, one subject a file (docs/wire-protocol.md)."""
