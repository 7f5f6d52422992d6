"""Process boundaries: what git and the user start."""
