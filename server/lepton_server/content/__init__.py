"""Chunks, the packs they lie in and the files they make: look-up, rights to them, decoding."""
