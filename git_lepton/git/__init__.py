"""Git's own protocols and repositories."""
