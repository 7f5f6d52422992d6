"""Where chunks are kept on this machine."""
