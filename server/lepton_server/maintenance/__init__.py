"""gc, repack, scrub, repair, expire, purge: what keeps stored weights sound and within bounds."""
