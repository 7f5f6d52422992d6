"""Files without a clone: from a repository, a share, or a hub's folder."""
