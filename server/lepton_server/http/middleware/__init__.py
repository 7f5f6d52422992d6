"""Around every request: its name, its origin for the audit log, limits, headers."""
