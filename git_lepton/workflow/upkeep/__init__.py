"""Care for the local store: prune, reclaim, verify."""
