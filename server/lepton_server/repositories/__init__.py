"""Repositories: their registry, who may do what in them, quotas, names and deletion."""
