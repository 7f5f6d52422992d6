"""Identity of callers: accounts, organisations, tokens, tenants, and the audit log."""
