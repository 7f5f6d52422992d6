"""Between a clone and its remotes: push, fetch, status, what is covered and what has arrived."""
