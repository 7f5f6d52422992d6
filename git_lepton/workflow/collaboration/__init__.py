"""Locks, shares, and the administration of a server from a client."""
