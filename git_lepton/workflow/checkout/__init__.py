"""From pointer to file: smudge, writing large files in place, git's index."""
